//! Keeps the processes of one app alive.
