"""What an audit keeps of records: columns, brought together in shards, within a budget."""
