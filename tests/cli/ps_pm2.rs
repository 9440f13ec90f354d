//! `ps-pm2` as a shell sees it, each test in a HOME of its own, with apps for Node and for sh.

#[path = "support/node_clients.rs"]
mod clients;
#[path = "support/npm_pm2.rs"]
mod npm_pm2;
mod support;

#[path = "ps_pm2/cluster.rs"]
mod cluster;
#[path = "ps_pm2/corpus.rs"]
mod corpus;
#[path = "ps_pm2/declared.rs"]
mod declared;
#[path = "ps_pm2/dump.rs"]
mod dump;
#[path = "ps_pm2/home.rs"]
mod home;
#[path = "ps_pm2/import.rs"]
mod import;
#[path = "ps_pm2/lists.rs"]
mod lists;
#[path = "ps_pm2/messages.rs"]
mod messages;
#[path = "ps_pm2/never.rs"]
mod never;
#[path = "ps_pm2/output.rs"]
mod output;
#[path = "ps_pm2/peer.rs"]
mod peer;
#[path = "ps_pm2/recorded.rs"]
mod recorded;
#[path = "ps_pm2/reload.rs"]
mod reload;
#[path = "ps_pm2/renewed.rs"]
mod renewed;
#[path = "ps_pm2/restarts.rs"]
mod restarts;
#[path = "ps_pm2/runtime.rs"]
mod runtime;
#[path = "ps_pm2/said_in_vain.rs"]
mod said_in_vain;
#[path = "ps_pm2/scripts.rs"]
mod scripts;
#[path = "ps_pm2/side.rs"]
mod side;
#[path = "ps_pm2/start.rs"]
mod start;
#[path = "ps_pm2/stop.rs"]
mod stop;
#[path = "ps_pm2/today.rs"]
mod today;
#[path = "ps_pm2/unseen.rs"]
mod unseen;
