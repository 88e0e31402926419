//! The program itself: started, asked, killed, started again.
