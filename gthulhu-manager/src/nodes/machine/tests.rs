//! The machine's rules, shown without network, clock or sleep.

mod bench;
mod faults;
mod numbering;
mod pushing;
mod world;
