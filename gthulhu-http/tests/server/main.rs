//! The server on real sockets: what it answers, what it refuses, how it ends.

#[cfg(test)]
mod app;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod repeats;
#[cfg(test)]
mod rows;
