//! TLS on real sockets: who is let in, who is believed, what happens when certificates change.

#[cfg(test)]
mod callers;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod papers;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod reload;
