//! `ps-lifecycle` inside Dokku as a shell sees it: which triggers it calls, in which order, under which locks, and what it
//! says, against what a real Dokku did. The other plugins are hooks that write down that they were called.

#[path = "support/mod.rs"]
mod support;

#[path = "ps_lifecycle_dokku/hooks.rs"]
mod hooks;
#[path = "ps_lifecycle_dokku/lifecycle.rs"]
mod lifecycle;
#[path = "ps_lifecycle_dokku/locks.rs"]
mod locks;
#[path = "ps_lifecycle_dokku/verbs.rs"]
mod verbs;
#[path = "ps_lifecycle_dokku/world.rs"]
mod world;
