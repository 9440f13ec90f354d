//! What survives deaths. An app runs under load (numbered lines, a web that is asked all the time, processes that end with a
//! known status again and again), somebody of ours is killed again and again, and afterwards it is counted what the app
//! has noticed. Whoever is judged here shares nothing with the judge but files, pids and the words of the programs.

pub mod crowd;
pub mod evidence;
pub mod fifo_log;
pub mod part;
pub mod processes;
pub mod site;
pub mod traffic;
pub mod visit;
pub mod world;
