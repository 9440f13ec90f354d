//! The Scheduler trait, its vocabulary, a fake, and the conformance suite.
