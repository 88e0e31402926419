//! Mutual TLS between the real programs: by the recipe that users know, by what the programs make themselves, and while every
//! certificate is replaced again and again.

mod recipe;
mod rotation;
mod world;
