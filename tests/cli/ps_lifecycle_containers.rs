//! `ps-lifecycle` with a real engine as a shell sees it: containers, images and what is made of them. Each test has a world of its own.

#[expect(dead_code, reason = "the tests of native apps need more of it")]
#[path = "support/asking.rs"]
mod asking;
#[path = "support/cage.rs"]
mod cage;
#[expect(dead_code, reason = "the tests of native apps need more of it")]
#[path = "ps_lifecycle/home.rs"]
mod home;
#[path = "support/pseudo_terminal.rs"]
mod pseudo_terminal;

#[path = "ps_lifecycle/archives.rs"]
mod archives;
#[path = "ps_lifecycle/buildkit.rs"]
mod buildkit;
#[path = "ps_lifecycle/builds.rs"]
mod builds;
#[path = "ps_lifecycle/container_settings.rs"]
mod container_settings;
#[path = "ps_lifecycle/containers.rs"]
mod containers;
#[path = "ps_lifecycle/cron.rs"]
mod cron;
#[path = "ps_lifecycle/dry_run.rs"]
mod dry_run;
#[path = "ps_lifecycle/engine.rs"]
mod engine;
#[path = "ps_lifecycle/https_containers.rs"]
mod https_containers;
#[path = "ps_lifecycle/images.rs"]
mod images;
#[path = "ps_lifecycle/program.rs"]
mod program;
#[path = "ps_lifecycle/progress_of_containers.rs"]
mod progress_of_containers;
#[path = "ps_lifecycle/registry.rs"]
mod registry;
#[path = "ps_lifecycle/rollback.rs"]
mod rollback;
#[path = "ps_lifecycle/run.rs"]
mod run;
#[path = "support/schema.rs"]
mod schema;
#[path = "ps_lifecycle/services.rs"]
mod services;
#[path = "ps_lifecycle/services_only.rs"]
mod services_only;
#[path = "ps_lifecycle/swarm.rs"]
mod swarm;
#[path = "ps_lifecycle/swarm_address.rs"]
mod swarm_address;
#[path = "ps_lifecycle/swarm_losses.rs"]
mod swarm_losses;
#[path = "ps_lifecycle/swarm_registry.rs"]
mod swarm_registry;
#[path = "ps_lifecycle/swarm_release.rs"]
mod swarm_release;
#[path = "ps_lifecycle/swarm_run.rs"]
mod swarm_run;
#[path = "ps_lifecycle/tags.rs"]
mod tags;
#[path = "ps_lifecycle/tasks.rs"]
mod tasks;
#[path = "ps_lifecycle/terminal.rs"]
mod terminal;
#[path = "ps_lifecycle/watch_containers.rs"]
mod watch_containers;
