//! Apps on disk: roots, names, properties, formations at rest, locks, durable writes.
