package eoscheck.peers.payments;

/**
 * A record of the output; its key is the account. {@code balance} includes this payment, which came
 * from {@code partition} and {@code offset} of the input.
 */
record Receipt(Payment payment, long balance, int partition, long offset) {}
