//! docker-local through bollard.
