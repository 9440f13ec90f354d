//! Native processes: writes the spec, talks to ps-supervise.
