//! Calling triggers, through plugn or without it.
