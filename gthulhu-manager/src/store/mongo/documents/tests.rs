//! Documents as BSON.
