//! `ps-lifecycle` as a shell sees it, with the real programs: each test has a world of its own, and leaves nothing of it.

#[path = "support/asking.rs"]
mod asking;
#[path = "support/cage.rs"]
mod cage;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "ps_lifecycle/home.rs"]
mod home;
#[path = "support/pseudo_terminal.rs"]
mod pseudo_terminal;
#[path = "support/second_kernel.rs"]
mod second_kernel;

#[path = "ps_lifecycle/address.rs"]
mod address;
#[path = "ps_lifecycle/address_auto.rs"]
mod address_auto;
#[path = "ps_lifecycle/address_options.rs"]
mod address_options;
#[path = "ps_lifecycle/after.rs"]
mod after;
#[path = "ps_lifecycle/all.rs"]
mod all;
#[path = "ps_lifecycle/apply.rs"]
mod apply;
#[path = "ps_lifecycle/balance_user.rs"]
mod balance_user;
#[path = "ps_lifecycle/boot.rs"]
mod boot;
#[path = "ps_lifecycle/canary.rs"]
mod canary;
#[path = "ps_lifecycle/command_line.rs"]
mod command_line;
#[path = "ps_lifecycle/counts.rs"]
mod counts;
#[path = "ps_lifecycle/cut.rs"]
mod cut;
#[path = "ps_lifecycle/deploy.rs"]
mod deploy;
#[path = "ps_lifecycle/descriptors.rs"]
mod descriptors;
#[path = "ps_lifecycle/disk.rs"]
mod disk;
#[path = "ps_lifecycle/doctor.rs"]
mod doctor;
#[path = "ps_lifecycle/drift.rs"]
mod drift;
#[path = "ps_lifecycle/dry_run.rs"]
mod dry_run;
#[path = "ps_lifecycle/environment.rs"]
mod environment;
#[path = "ps_lifecycle/events.rs"]
mod events;
#[path = "ps_lifecycle/external.rs"]
mod external;
#[path = "ps_lifecycle/files.rs"]
mod files;
#[path = "ps_lifecycle/fixed_port.rs"]
mod fixed_port;
#[path = "ps_lifecycle/hello.rs"]
mod hello;
#[path = "ps_lifecycle/inputs.rs"]
mod inputs;
#[path = "ps_lifecycle/journal.rs"]
mod journal;
#[path = "ps_lifecycle/journals.rs"]
mod journals;
#[path = "ps_lifecycle/links.rs"]
mod links;
#[path = "ps_lifecycle/lock.rs"]
mod lock;
#[path = "ps_lifecycle/logs.rs"]
mod logs;
#[path = "ps_lifecycle/node.rs"]
mod node;
#[path = "ps_lifecycle/output.rs"]
mod output;
#[path = "ps_lifecycle/passed_socket.rs"]
mod passed_socket;
#[path = "ps_lifecycle/plans.rs"]
mod plans;
#[path = "ps_lifecycle/ports.rs"]
mod ports;
#[path = "ps_lifecycle/program.rs"]
mod program;
#[path = "ps_lifecycle/progress.rs"]
mod progress;
#[path = "ps_lifecycle/proxy.rs"]
mod proxy;
#[path = "ps_lifecycle/read_only.rs"]
mod read_only;
#[path = "ps_lifecycle/ready.rs"]
mod ready;
#[path = "ps_lifecycle/rebuild.rs"]
mod rebuild;
#[path = "ps_lifecycle/refusals.rs"]
mod refusals;
#[path = "ps_lifecycle/reload.rs"]
mod reload;
#[path = "ps_lifecycle/replay.rs"]
mod replay;
#[path = "ps_lifecycle/reset.rs"]
mod reset;
#[path = "ps_lifecycle/restart.rs"]
mod restart;
#[path = "ps_lifecycle/restarted_unit.rs"]
mod restarted_unit;
#[path = "ps_lifecycle/restarts.rs"]
mod restarts;
#[path = "ps_lifecycle/restore.rs"]
mod restore;
#[path = "ps_lifecycle/rollout.rs"]
mod rollout;
#[path = "ps_lifecycle/said.rs"]
mod said;
#[path = "ps_lifecycle/schedule.rs"]
mod schedule;
#[path = "support/schema.rs"]
mod schema;
#[path = "ps_lifecycle/scripts.rs"]
mod scripts;
#[path = "ps_lifecycle/settings.rs"]
mod settings;
#[path = "ps_lifecycle/shared.rs"]
mod shared;
#[path = "ps_lifecycle/signal.rs"]
mod signal;
#[path = "ps_lifecycle/snapshot.rs"]
mod snapshot;
#[path = "ps_lifecycle/start.rs"]
mod start;
#[path = "ps_lifecycle/status.rs"]
mod status;
#[path = "ps_lifecycle/stop.rs"]
mod stop;
#[path = "ps_lifecycle/supervisor.rs"]
mod supervisor;
#[expect(dead_code, reason = "the tests of run and enter need more of it")]
#[path = "ps_lifecycle/terminal.rs"]
mod terminal;
#[path = "ps_lifecycle/units.rs"]
mod units;
#[path = "ps_lifecycle/upgrade.rs"]
mod upgrade;
#[path = "ps_lifecycle/usage.rs"]
mod usage;
#[path = "ps_lifecycle/watch.rs"]
mod watch;
#[path = "ps_lifecycle/worlds.rs"]
mod worlds;
