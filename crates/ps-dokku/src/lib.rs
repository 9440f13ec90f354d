#![doc = include_str!("../README.md")]

mod call;
mod commit;
mod deploy_lock;
mod deployed;
mod error;
mod extract;
mod inherit;
mod install;
mod nginx;
pub mod order;
mod source_tree;
mod trigger_failed;
mod upstreams;
pub mod words;

pub use call::Caller;
pub use commit::commit;
pub use deploy_lock::{DeployLock, busy, lock_deploy, refuse_deploying};
pub use deployed::is_deployed;
pub use error::Error;
pub use extract::{deploy_pid, extract};
pub use inherit::{copy, move_data, take_over};
pub use install::{Line, install};
pub use nginx::{correct, proxy_remark, template};
pub use trigger_failed::TriggerFailed;
