//! Apps on disk: root directories, names, properties, stored formations, the app's environment, the lock. The layout is
//! Dokku's own (docs/contract.md), so that Dokku and Formation can work on the same files. Readers therefore allow for
//! Dokku's writers, which change files in place, and never repair anything.

mod apps;
mod content;
mod declaration_record;
mod deployed;
mod earlier_environment;
mod environment;
mod error;
mod formation_origin;
mod formatted;
mod instance_files;
mod intended;
mod kept_releases;
mod known_types;
mod lib_roots;
mod listing;
mod lock;
pub mod nearby;
mod orphans;
mod places;
mod property;
mod ps_clone;
mod ps_data;
mod ps_property;
mod registry_logins;
mod scaling;
mod scheduler_name;
mod scope;
mod settings;
mod snapshots;
mod source_record;
mod source_trees;
pub mod state_file;
mod stored_formation;
mod stored_settings;
mod world;
mod worlds;

pub use apps::App;
pub use content::{Bytes, Text};
pub use declaration_record::DeclarationRecord;
pub use deployed::Deployed;
pub use error::Error;
pub use formation_origin::{
    DOKKU_SCALE, FormationOrigin, InvalidDokkuScale, OfferedCounts, RefusedOffer, parse_dokku_scale,
};
pub use instance_files::{ContainerFile, InstanceFiles, InstanceRecord, LISTENING_HOST};
pub use kept_releases::KeptRelease;
pub use lib_roots::OtherRoot;
pub use lock::{AppLock, LOCK_VARIABLE};
pub use orphans::Orphans;
pub use property::StoredProperties;
pub use ps_property::{AUTO, HOST_COMMANDS, InvalidValue, LISTEN, PsProperty, TLS, WEBHOOK};
pub use scaling::{AskedCount, RefusedScaling, Scaling};
pub use scheduler_name::SchedulerName;
pub use scope::Scope;
pub use settings::{Origin, RESTORE, Setting, may_be_scaled};
pub use snapshots::{InvalidSnapshotName, SavedApp, Snapshot, SnapshotName};
pub use source_record::{ServiceRecord, SourceRecord};
pub use stored_formation::{StoredEntry, StoredFormation};
pub use stored_settings::{EffectiveSetting, OfSource, StoredSettings, heeded};
pub use world::{World, inside_dokku, variable};
pub use worlds::pm2_home;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
