//! The ledger as a whole, on each database.
