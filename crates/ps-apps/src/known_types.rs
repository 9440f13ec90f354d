//! Which process types an app has: those of its Procfile. During a deploy inside Dokku the Procfile that is being deployed
//! counts, `data/ps/<app>/Procfile.<DOKKU_PID>`; the file `Procfile.<DOKKU_PID>.missing` beside it says that what is being
//! deployed has none (docs/contract.md#files).

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;

use formation::{AppName, ProcessType};
use procfile::Procfile;

use crate::state_file;
use crate::{Error, World};

impl World {
    /// The Procfile that counts now, `None` if the app has none.
    pub fn current_procfile(&self, app: &AppName) -> Option<PathBuf> {
        self.current_file(self.procfile_path(app))
    }

    /// The app.json that counts now, `None` if the app has none.
    pub fn current_app_json(&self, app: &AppName) -> Option<PathBuf> {
        self.current_file(self.app_json_path(app))
    }

    /// During a deploy `<file>.<DOKKU_PID>`, or `None` if `<file>.<DOKKU_PID>.missing` is there; else the file of the last
    /// deploy.
    fn current_file(&self, committed: PathBuf) -> Option<PathBuf> {
        if let (Some(pid), Some(name)) = (self.deploy_pid(), committed.file_name()) {
            let name = name.to_string_lossy();
            let with = |suffix: &str| committed.with_file_name(format!("{name}.{pid}{suffix}"));
            if with(".missing").exists() {
                return None;
            }
            if with("").exists() {
                return Some(with(""));
            }
        }
        committed.symlink_metadata().is_ok().then_some(committed)
    }

    /// The process types of the Procfile that counts now, or of the services of a Compose file that stands in for one; `None` if
    /// the app has neither. A file that cannot be read is [`Error::Corrupt`].
    pub fn known_types(&self, app: &AppName) -> Result<Option<BTreeSet<ProcessType>>, Error> {
        let Some(path) = self.current_procfile(app) else { return self.services(app) };
        let Some(bytes) = state_file::read(&path, true)? else { return Ok(None) };
        match Procfile::parse(&bytes) {
            Ok(procfile) => Ok(Some(procfile.entries().map(|entry| entry.process_type()).collect())),
            Err(why) => {
                let reason = format!("{why}: deploy the app with a Procfile that can be read");
                Err(Error::Corrupt { path, line: None, reason })
            }
        }
    }

    /// The name of the Compose file whose services are the [known types](World::known_types); `None`: they are those of a
    /// Procfile, or the app has neither.
    pub fn compose_file(&self, app: &AppName) -> Result<Option<String>, Error> {
        if self.current_procfile(app).is_some() { Ok(None) } else { Ok(self.source_record(app)?.compose) }
    }

    fn services(&self, app: &AppName) -> Result<Option<BTreeSet<ProcessType>>, Error> {
        let services = self.source_record(app)?.services;
        let types: BTreeSet<_> = services.keys().filter_map(|name| name.parse().ok()).collect();
        Ok((!types.is_empty()).then_some(types))
    }

    fn deploy_pid(&self) -> Option<String> {
        let pid = self.inside_dokku().then(|| env::var("DOKKU_PID").ok()).flatten();
        pid.filter(|pid| !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()))
    }
}
