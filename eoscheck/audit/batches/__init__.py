"""What the batches of a topic tell: two views, transactions, habits of their writers."""
