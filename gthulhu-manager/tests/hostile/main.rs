//! The manager as a program, against callers who mean it no good, and in want of what it needs.
//!
//! Tests that measure run one after the other. `GTHULHU_CROWD` is the number of sockets that crowds have (5000 unless set),
//! `GTHULHU_PATIENCE=1` also waits for the longest deadlines.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod descriptors;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod guess;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod skew;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod stop;
