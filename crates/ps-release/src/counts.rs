//! How many instances a deploy wants. `--scale` takes precedence over app.json, that over a DOKKU_SCALE file, and
//! that over the stored formation (docs/programs/ps-scale.md#where-counts-come-from).

use std::collections::BTreeSet;

use app_json::AppJson;
use formation::{AppName, ProcessType, Quantity};
use procfile::Procfile;
use ps_apps::{
    AskedCount, DOKKU_SCALE, FormationOrigin, OfferedCounts, Scaling, StoredEntry, StoredFormation, World,
    parse_dokku_scale,
};

use crate::{APP_JSON, Checkout, Error};

/// All sources of the counts of a deploy, read once.
pub struct Counts {
    offered: OfferedCounts,
    known: Option<BTreeSet<ProcessType>>,
    /// The Compose file of the counts.
    compose: Option<String>,
    /// The counts of a Compose file, for types without a stored count.
    usual: Vec<StoredEntry>,
    max: Quantity,
}

impl Counts {
    /// Reads the arguments, the app.json and the DOKKU_SCALE file of a deploy.
    pub fn read(
        arguments: &[String],
        checkout: &Checkout,
        procfile: Option<&Procfile>,
        app_json: &AppJson,
    ) -> Result<Self, Error> {
        let arguments =
            arguments.iter().map(|word| AskedCount::parse_share(word)).collect::<Result<_, _>>()?;
        let of_app_json = app_json.formation().map_err(Error::BadAppJson)?;
        let dokku_scale =
            checkout.dokku_scale.as_deref().map(parse_dokku_scale).transpose()?.unwrap_or_default();
        let offered = OfferedCounts {
            arguments,
            app_json: of_app_json.iter().map(|(name, count)| AskedCount::exactly(name, *count)).collect(),
            dokku_scale,
        };
        let services = &checkout.record.services;
        let of_services =
            || services.keys().filter_map(|name| name.parse().ok()).collect::<BTreeSet<ProcessType>>();
        let known = match procfile {
            Some(procfile) => Some(procfile.entries().map(|entry| entry.process_type()).collect()),
            None => (!services.is_empty()).then(of_services),
        };
        let usual = services.iter().map(|(name, service)| StoredEntry {
            name: name.clone(),
            count: service.replicas.unwrap_or(1).into(),
        });
        let usual = usual.collect();
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let compose = checkout.record.compose.clone().filter(|_| procfile.is_none());
        Ok(Self { offered, known, compose, usual, max: Quantity::new(cpus).unwrap_or(Quantity::ONE) })
    }

    /// The formation that this deploy wants, and its source; `None` as source: it is the stored formation.
    pub fn apply(
        &self,
        world: &World,
        app: &AppName,
    ) -> Result<(StoredFormation, Option<FormationOrigin>), Error> {
        // A plan can be requested for an app that does not exist yet.
        let is_app = world.is_app(app)?;
        let mut stored = if is_app { world.formation(app)? } else { StoredFormation::of_a_new_app() };
        let is_first = world.deploy_source(app)?.is_none();
        for usual in &self.usual {
            match stored.scale.iter_mut().find(|entry| entry.name == usual.name) {
                // The stored count of every new app is web=1.
                Some(entry) if is_first => entry.count = usual.count,
                Some(_) => {}
                None => stored.scale.push(usual.clone()),
            }
        }
        let rule = Scaling {
            asked: &[],
            replaces: false,
            known: self.known.as_ref(),
            compose: self.compose.as_deref(),
            max: self.max,
            may_scale_release: false,
        };
        Ok(self.offered.apply(rule, &stored)?)
    }

    /// The effects of a file on the formation, one line each, to be printed before the deploy: that Dokku no longer reads
    /// the file, and which types end because the file does not name them.
    pub fn hints(
        &self,
        world: &World,
        app: &AppName,
        planned: &StoredFormation,
    ) -> Result<Vec<String>, Error> {
        let mut hints = Vec::new();
        let Some((_, source)) = self.offered.file() else { return Ok(hints) };
        if source == FormationOrigin::DokkuScale {
            hints.push(
                "The formation comes from DOKKU_SCALE, which Dokku does not read any more: write it as the formation of app.json".to_owned(),
            );
        }
        if source == FormationOrigin::AppJson && !self.offered.dokku_scale.is_empty() {
            hints.push(format!(
                "{DOKKU_SCALE} is not heeded: {APP_JSON} has a formation, which takes its place"
            ));
        }
        let stored = world.formation(app)?;
        let (was, becomes) = (stored.wanted(), planned.effective());
        for (process_type, count) in was.iter().filter(|(process_type, _)| self.has(process_type)) {
            if count.get() > 0 && becomes.get(process_type.as_str()).is_none_or(|count| *count == 0) {
                let file = source.as_str();
                hints.push(format!("{process_type} goes from {count} to 0: {file} asks for none"));
            }
        }
        Ok(hints)
    }

    fn has(&self, process_type: &ProcessType) -> bool {
        self.known.as_ref().is_none_or(|known| known.contains(process_type))
    }

    /// Whether the formation may be scaled by hand. It may not if app.json has a formation.
    pub fn can_scale(&self) -> bool {
        self.offered.app_json.is_empty()
    }
}
