//! Where a formation comes from. `--scale` takes precedence over app.json, app.json over a DOKKU_SCALE file in the source
//! tree, and that file over the stored formation. Outside Dokku the source that was used is written to
//! `config/ps/<app>/scale-source`, so that `ps-scale` can name it. Inside Dokku it is not written, because Dokku has no such
//! file.

use formation::AppName;
use procfile::NotText;

use crate::scope::Scope;
use crate::{AskedCount, Error, RefusedScaling, Scaling, StoredFormation, World};

const PLUGIN: &str = "ps";
const KEY: &str = "scale-source";
/// The name of the file in a source tree that Dokku read until 0.30.
pub const DOKKU_SCALE: &str = "DOKKU_SCALE";

/// The source of the counts of a formation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FormationOrigin {
    /// A person or a pipeline, on a command line.
    #[default]
    Argument,
    /// The app.json of the last deploy.
    AppJson,
    /// The DOKKU_SCALE file of the last deploy.
    DokkuScale,
    /// The trigger `ps-set-scale`.
    Trigger,
}

/// A line of a DOKKU_SCALE file that is not `<type>=<count>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDokkuScale {
    /// Not text.
    #[error("DOKKU_SCALE: {0}")]
    NotText(NotText),
    /// A line that cannot be read.
    #[error("DOKKU_SCALE, line {line}: {why}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: RefusedScaling,
    },
}

/// The counts of a deploy. A file gives the whole formation: types that it does not name become 0. Arguments change some
/// counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferedCounts {
    /// `--scale`.
    pub arguments: Vec<AskedCount>,
    /// The `formation` of app.json, as far as it has quantities.
    pub app_json: Vec<AskedCount>,
    /// The counts of the DOKKU_SCALE file; ignored if app.json has quantities.
    pub dokku_scale: Vec<AskedCount>,
}

/// Refused counts, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", if *by == FormationOrigin::Argument { "--scale" } else { by.as_str() })]
pub struct RefusedOffer {
    /// Who asked for them.
    by: FormationOrigin,
    /// What is wrong with them.
    why: RefusedScaling,
}

impl OfferedCounts {
    /// The formation of a deploy, and where it comes from (`None`: it is the stored one). `rule` has the facts about the
    /// app; its own counts are ignored.
    pub fn apply(
        &self,
        rule: Scaling<'_>,
        before: &StoredFormation,
    ) -> Result<(StoredFormation, Option<FormationOrigin>), RefusedOffer> {
        let refused = |by| move |why| RefusedOffer { by, why };
        let file = self.file();
        let (asked, source) = file.unwrap_or((&[], FormationOrigin::Argument));
        let rule = Scaling { asked, replaces: file.is_some(), ..rule };
        let of_files = rule.apply(before).map_err(refused(source))?;
        if self.arguments.is_empty() {
            return Ok((of_files, file.map(|(_, source)| source)));
        }
        let rule = Scaling { asked: &self.arguments, replaces: false, ..rule };
        let formation = rule.apply(&of_files).map_err(refused(FormationOrigin::Argument))?;
        Ok((formation, Some(FormationOrigin::Argument)))
    }

    /// The counts of the file that takes precedence, and which file it is.
    pub fn file(&self) -> Option<(&[AskedCount], FormationOrigin)> {
        let files =
            [(&self.app_json, FormationOrigin::AppJson), (&self.dokku_scale, FormationOrigin::DokkuScale)];
        let first = files.into_iter().find(|(asked, _)| !asked.is_empty());
        first.map(|(asked, source)| (asked.as_slice(), source))
    }
}

impl FormationOrigin {
    /// The name in JSON, on the terminal and on disk.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Argument => "argument",
            Self::AppJson => "app.json",
            Self::DokkuScale => DOKKU_SCALE,
            Self::Trigger => "trigger",
        }
    }

    /// The origin with this name; `None` for a name of a later version.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Argument, Self::AppJson, Self::DokkuScale, Self::Trigger]
            .into_iter()
            .find(|source| source.as_str() == word)
    }
}

/// Reads a DOKKU_SCALE file: lines `<type>=<count>`; blank lines and comments (`#`) do not count.
pub fn parse_dokku_scale(bytes: &[u8]) -> Result<Vec<AskedCount>, InvalidDokkuScale> {
    let text = procfile::text(bytes).map_err(InvalidDokkuScale::NotText)?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, word)| {
            AskedCount::parse_in_file(word).map_err(|why| InvalidDokkuScale::Line { line, why })
        })
        .collect()
}

impl World {
    /// The source of the app's formation. Inside Dokku it is app.json if that file forbids `ps:scale`.
    pub fn formation_origin(&self, app: &AppName) -> Result<FormationOrigin, Error> {
        if self.inside_dokku() {
            let can_scale = self.can_scale(app)?;
            return Ok(if can_scale { FormationOrigin::Argument } else { FormationOrigin::AppJson });
        }
        let stored = self.property(PLUGIN, Scope::App(app), KEY)?;
        Ok(stored.and_then(|word| FormationOrigin::named(&word)).unwrap_or_default())
    }

    /// Changes the formation as [`World::update_formation`] does. Outside Dokku it also records where the change comes from.
    /// After an error both are as before.
    pub fn update_formation_from<E: From<Error>>(
        &self,
        app: &AppName,
        source: FormationOrigin,
        change: impl FnOnce(&StoredFormation) -> Result<StoredFormation, E>,
    ) -> Result<StoredFormation, E> {
        self.in_directory(PLUGIN, Scope::App(app), |directory| {
            let before = self.formation(app)?;
            let after = change(&before)?;
            let is_remembered = self.inside_dokku() || self.formation_origin(app)? == source;
            let memory = (KEY, source.as_str().as_bytes().to_vec());
            let beside = if is_remembered { &[][..] } else { &[memory] };
            self.write_formation(directory, app, &before, &after, beside)?;
            Ok(after)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::StoredEntry;

    #[test]
    fn arguments_win_over_app_json_which_wins_over_dokku_scale_which_wins_over_what_is_stored() {
        let entry = |name: &str, count| StoredEntry { name: name.to_owned(), count };
        let before = StoredFormation { scale: vec![entry("web", 1), entry("worker", 5)], old: vec![] };
        let asked = |word: &str| vec![AskedCount::parse(word).expect("a count")];
        let (arguments, app_json, dokku_scale) = (asked("web+=1"), asked("web=7"), asked("worker=2"));
        let none = OfferedCounts::default;
        let files = OfferedCounts { app_json: app_json.clone(), dokku_scale: dokku_scale.clone(), ..none() };
        let rows = [
            (none(), "web=1 worker=5", None),
            (OfferedCounts { dokku_scale, ..none() }, "worker=2 web=0", Some(FormationOrigin::DokkuScale)),
            (files.clone(), "web=7 worker=0", Some(FormationOrigin::AppJson)),
            (OfferedCounts { arguments, ..files }, "web=8 worker=0", Some(FormationOrigin::Argument)),
        ];
        let known = ["web", "worker"].map(|name| name.parse().expect("legal")).into();
        let max = formation::Quantity::ONE;
        let rule = Scaling {
            asked: &[],
            replaces: false,
            known: Some(&known),
            compose: None,
            max,
            may_scale_release: false,
        };
        for (offered, expected, by) in rows {
            let (formation, source) = offered.apply(rule, &before).expect("nothing is wrong with it");
            let words: Vec<_> =
                formation.scale.iter().map(|entry| format!("{}={}", entry.name, entry.count)).collect();
            assert_eq!((&*words.join(" "), source), (expected, by));
        }
        // In a file, `web+` is the name of a type and never a relative count, because each deploy reads the file again.
        let grows = OfferedCounts {
            dokku_scale: parse_dokku_scale(b"web+=1\n").expect("a name and a count"),
            ..none()
        };
        let said = grows.apply(rule, &before).expect_err("no type is called so").to_string();
        assert!(said.starts_with("DOKKU_SCALE: "), "{said}");
        let wrong = OfferedCounts { arguments: asked("clock=1"), ..none() };
        let said = wrong.apply(rule, &before).expect_err("there is no clock").to_string();
        assert!(said.starts_with("--scale: clock is not in the Procfile"), "{said}");
        let wrong = OfferedCounts { app_json: asked("clock=1"), ..none() };
        let said = wrong.apply(rule, &before).expect_err("there is no clock").to_string();
        assert!(said.starts_with("app.json: clock is not in the Procfile"), "{said}");
    }

    #[test]
    fn blank_lines_and_comments_of_a_dokku_scale_file_do_not_count() {
        let asked = parse_dokku_scale(b"\xef\xbb\xbf# how many\r\nweb=1\r\n\n  worker-beat=1");
        let expected: Result<Vec<_>, _> =
            ["web=1", "worker-beat=1"].map(AskedCount::parse_in_file).into_iter().collect();
        assert_eq!(asked.ok(), expected.ok());
    }

    #[test]
    fn a_line_that_is_no_count_is_named() {
        let said = |bytes: &[u8]| parse_dokku_scale(bytes).map_err(|why| why.to_string());
        assert!(
            said(b"web=1\nworker\n")
                .is_err_and(|why| why.starts_with("DOKKU_SCALE, line 2: \"worker\" has no"))
        );
        assert!(said(b"web=-1").is_err_and(|why| why.contains("line 1")));
        let utf16: Vec<u8> = "web=1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(said(&utf16).err().as_deref(), Some("DOKKU_SCALE: the file is UTF-16: save it as UTF-8"));
        assert!(said(b"web=1\n\xff").is_err_and(|why| why.starts_with("DOKKU_SCALE: line 2, column 1: ")));
    }

    #[test]
    fn dokku_scale_files_that_other_people_wrote_are_read() {
        let Some(folder) = skipped::corpus("corpus/dokku-scale") else { return };
        for entry in fs::read_dir(folder).expect("the corpus can be read").flatten() {
            let bytes = fs::read(entry.path()).expect("a file");
            let asked = parse_dokku_scale(&bytes);
            assert!(
                asked.as_ref().is_ok_and(|asked| !asked.is_empty()),
                "{}: {asked:?}",
                entry.path().display()
            );
        }
    }
}
