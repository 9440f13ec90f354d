//! What may be shown of a container's description, and what must not.
