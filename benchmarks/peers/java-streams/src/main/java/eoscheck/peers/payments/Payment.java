package eoscheck.peers.payments;

/** A record of the input; its key is the account. {@code amount} is in cents. */
record Payment(long paymentId, String account, long amount) {}
