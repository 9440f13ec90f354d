//! The canary ledger: secrets of many kinds, in many encodings, at every place of real documents where a string stands;
//! then the question whether anything of them can be read in the output. Kinds and places chosen by a hash of their
//! name are held out: no rule was written or mended for them.
//!
//! `FORMATION_TEST_LONG=1` plants 100,000 and more; the plain run plants fewer of the same. `FORMATION_TEST_SEED=7` plants
//! others.

#![expect(clippy::format_collect, reason = "the readable way, and speed is nothing here")]

mod control;
mod documents;
mod encodings;
mod kinds;
mod oracle;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use redact::{Layout, Policy, sanitize};
use serde_json::Value;

use documents::{Document, Site, sites};
use encodings::ENCODINGS;
use kinds::{KINDS, KindOf, Look, Secret};
use oracle::Output;
use random::Random;

/// Places where something that looks like a word, a path, a number or an id is shown: what is not promised.
const SHOWN: &str = include_str!("shown_places.txt");

fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn long() -> bool {
    std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1")
}

/// One of four, by name, so that nobody chooses.
fn is_held_out(name: &str) -> bool {
    (hash(name) >> 13).is_multiple_of(4)
}

fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

fn sanitized(value: &Value, policy: Policy) -> String {
    let input = value.to_string();
    let mut safe = sanitize(input.as_bytes(), policy).expect("a document with secrets is a document");
    let mut text = String::new();
    safe.write(Layout::Pretty, &mut text).expect("a string takes all text");
    text
}

/// Which of the shown places (by what they show) a path belongs to.
fn shown_as(path: &str) -> BTreeSet<&'static str> {
    let rows = SHOWN.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    rows.filter(|(_, row)| *row == path).map(|(what, _)| what).collect()
}

/// A secret in the ledger.
struct Plant {
    site: Site,
    kind: &'static KindOf,
    encoding: &'static str,
    secret: Secret,
    /// It stands at a masked place as well.
    twice: bool,
}

impl Plant {
    /// Whether the policy promises that it is masked.
    fn promised(&self) -> bool {
        let shown = shown_as(&self.site.path);
        let bare = !encodings::tells_itself(self.encoding, &self.secret.text);
        // What an id, a short number or the app's name looks like is not searched for elsewhere.
        let excluded =
            ["id", "id40", "id25"].iter().any(|id| shown.contains(id)) || self.kind.look == Look::Twin;
        let app = ["app-name", "compose.project", "compose.service"]
            .iter()
            .any(|end| self.site.path.ends_with(end));
        self.kind.look == Look::Known || (self.twice && !excluded && !app) || !bare || shown.is_empty()
    }

    /// Whether the secret can be read in the output. Four digits stand there by chance: they count at their own place.
    fn leaked(&self, output: &Output, value: &Value) -> bool {
        let own = value.pointer(&self.site.pointer).and_then(Value::as_str).unwrap_or_default();
        // The number of a placeholder may be anybody's.
        let kept = own.split("[redacted:").enumerate().map(|(at, part)| match part.split_once(']') {
            Some((_, behind)) if at > 0 => behind,
            _ => part,
        });
        let own = kept.collect::<Vec<_>>().join(" ");
        let (short, long): (Vec<String>, Vec<String>) =
            self.secret.canaries.iter().cloned().partition(|run| run.len() < 6);
        output.shows(&long) || (long.is_empty() && short.iter().any(|run| own.contains(run)))
    }

    fn group(&self) -> String {
        let place = match (shown_as(&self.site.path).is_empty(), self.promised(), self.twice) {
            (true, ..) => "masked place",
            (_, true, true) => "shown place and a masked one",
            (_, true, false) => "shown place, recognisable",
            (_, false, _) => "shown place, unrecognisable (not promised)",
        };
        let held = match (self.kind.held_out(), is_held_out(&self.site.path)) {
            (true, true) => "kind and place held out",
            (true, false) => "kind held out",
            (false, true) => "place held out",
            (false, false) => "developed",
        };
        format!("{place}; {held}")
    }
}

/// Puts a secret at about half of the places of a document.
fn plant(document: &Document, random: &mut Random) -> (Value, Vec<Plant>) {
    let mut value = document.value.clone();
    let mut ledger = Vec::new();
    for site in sites(&document.value) {
        let shown = !shown_as(&site.path).is_empty();
        let plain = shown && random.below(3) == 0;
        let kind = random.pick(if plain { &KINDS[KINDS.len() - 24..] } else { KINDS });
        let (encoding, encode) = *random.pick(ENCODINGS);
        let secret = kind.make(random);
        let before = value.pointer(&site.pointer).and_then(Value::as_str).unwrap_or_default();
        let name =
            before.split_once('=').filter(|_| site.path.ends_with("Env[]")).map(|(name, _)| name.to_owned());
        let twice = shown && kind.look != Look::Known && random.below(2) > 0;
        if secret.text.len() > 5000 && random.below(8) > 0 {
            continue;
        }
        let written = encode(&secret.text);
        let written =
            name.filter(|_| random.below(3) > 0).map_or(written.clone(), |name| format!("{name}={written}"));
        *value.pointer_mut(&site.pointer).expect("the site is there") = Value::String(written);
        if twice {
            let entry = format!("SECOND_{}={}", ledger.len(), secret.text);
            add_env(&mut value, entry);
        }
        ledger.push(Plant { site, kind, encoding, secret, twice });
    }
    (value, ledger)
}

/// The same secret at a place where everything is masked.
fn add_env(value: &mut Value, entry: String) {
    let document = if value.is_array() { &mut value[0] } else { value };
    let config =
        document.as_object_mut().expect("a document is an object").entry("Config").or_insert(Value::Null);
    if !config.is_object() {
        *config = Value::Object(serde_json::Map::new());
    }
    let env = config.as_object_mut().expect("it was made one").entry("Env").or_insert(Value::Null);
    if !env.is_array() {
        *env = Value::Array(Vec::new());
    }
    env.as_array_mut().expect("it was made one").push(Value::String(entry));
}

#[test]
fn nothing_that_the_policy_promises_to_mask_comes_out() {
    let documents = documents::all();
    let wanted = if long() { 110_000 } else { 3_000 };
    let seed = std::env::var("FORMATION_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let mut random = Random::new(seed.unwrap_or(20_261_121));
    let mut counts: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut leaks: BTreeMap<String, usize> = BTreeMap::new();
    let mut planted = 0;
    while planted < wanted {
        let document = &documents[random.below(documents.len())];
        let (value, ledger) = plant(document, &mut random);
        let text = sanitized(&value, Policy::default());
        let parsed: Value = serde_json::from_str(&text).expect("the output is JSON");
        let output = Output::of(&text);
        for plant in &ledger {
            let leaked = plant.leaked(&output, &parsed);
            let count = counts.entry(plant.group()).or_default();
            count[0] += 1;
            count[1] += usize::from(leaked);
            planted += usize::from(plant.promised());
            if leaked && plant.promised() {
                *leaks
                    .entry(format!("{} as {} at {}", plant.kind.name, plant.encoding, plant.site.path))
                    .or_default() += 1;
            }
        }
    }
    for (group, [planted, leaked]) in &counts {
        tell(&format!("ledger: {planted:6} planted, {leaked:5} leaked: {group}"));
    }
    tell(&format!(
        "ledger: {} kinds, {} encodings, {} documents",
        KINDS.len(),
        ENCODINGS.len(),
        documents.len()
    ));
    assert!(leaks.is_empty(), "{} kinds of leak: {leaks:#?}", leaks.len());
}

/// Whether words of a command line stand there.
fn is_command(path: &str) -> bool {
    let ends = ["Path", "Args", "Cmd", "Entrypoint", "OnBuild", "Shell", "Test", "Command", "CreateCommand"];
    let bare = path.trim_end_matches("[]");
    !path.ends_with("SandboxPath") && ends.iter().any(|end| bare.rsplit('.').next() == Some(end))
}

#[test]
fn shown_commands_show_no_secret_that_can_be_recognised() {
    let policy = Policy { show_commands: true, ..Policy::default() };
    let documents = documents::all();
    let mut random = Random::new(11);
    let kinds: Vec<&KindOf> = KINDS.iter().filter(|kind| kind.look == Look::Known).collect();
    let (mut planted, mut held, mut leaks) = (0, 0, BTreeSet::new());
    while planted < if long() { 20_000 } else { 1_500 } {
        let document = random.pick(documents);
        let mut value = document.value.clone();
        let mut ledger = Vec::new();
        for site in sites(&document.value).into_iter().filter(|site| is_command(&site.path)) {
            let (kind, (encoding, encode)) = (*random.pick(&kinds), random.pick(ENCODINGS));
            let secret = kind.make(&mut random);
            *value.pointer_mut(&site.pointer).expect("the site is there") =
                Value::String(encode(&secret.text));
            ledger.push((site.path, kind, *encoding, secret));
        }
        planted += ledger.len().max(1);
        held += ledger.iter().filter(|(_, kind, ..)| kind.held_out()).count();
        let output = Output::of(&sanitized(&value, policy));
        // Four digits of a UUID stand in some id by chance.
        let shows = |secret: &Secret| {
            let long: Vec<String> = secret.canaries.iter().filter(|run| run.len() >= 6).cloned().collect();
            assert!(!long.is_empty(), "{} has no part that tells it", secret.text);
            output.shows(&long)
        };
        let shown = ledger.into_iter().filter(|(.., secret)| shows(secret));
        leaks.extend(shown.map(|(path, kind, encoding, secret)| {
            format!("{} as {encoding} at {path}: {}", kind.name, secret.text)
        }));
    }
    tell(&format!("ledger: {planted} planted in shown commands, {held} of kinds held out"));
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// A credential that only its flag gives away, with the program before it and as the only words of a line.
#[test]
fn a_flag_that_takes_a_secret_hides_it_in_shown_commands() {
    let policy = Policy { show_commands: true, ..Policy::default() };
    let lines: [&[&str]; 14] = [
        &["--requirepass", "tavomuri7"],
        &["mysql", "-u", "root", "-ptavomuri7", "shop"],
        &["docker", "exec", "db", "/usr/bin/mysqldump", "-ptavomuri7"],
        &["redis-cli", "-a", "tavomuri7", "ping"],
        &["curl", "-u", "admin:tavomuri7", "http://h/"],
        &["curl", "--user=admin:tavomuri7"],
        &["sshpass", "-ptavomuri7", "ssh", "h"],
        &["docker", "login", "-u", "a", "-p", "tavomuri7"],
        &["openssl", "enc", "-pass", "pass:tavomuri7"],
        &["keytool", "-storepass", "tavomuri7"],
        &["htpasswd", "-nbB", "admin", "tavomuri7"],
        &["sh", "-c", "mysql -u root -ptavomuri7 shop"],
        &["sh", "-c", "curl -u admin:tavomuri7 http://h/ || exit 1"],
        &["sh", "-c", "export API_TOKEN=tavomuri7; run"],
    ];
    for line in lines {
        let value = serde_json::json!([{ "Config": { "Cmd": line } }]);
        let text = sanitized(&value, policy);
        assert!(!text.contains("tavomuri7"), "{line:?}: {text}");
        assert_eq!(text, sanitized(&serde_json::from_str(&text).expect("it is JSON"), policy), "{line:?}");
    }
}

#[test]
fn dokkus_rule_on_the_same_ledger_leaks_most_of_it() {
    let documents = documents::all();
    let mut random = Random::new(7);
    let (mut planted, mut dokku, mut nothing) = (0, 0, 0);
    for document in documents {
        let (value, ledger) = plant(document, &mut random);
        let masked = Output::of(&control::dokkus_rule(value.clone()).to_string());
        let identity = Output::of(&value.to_string());
        planted += ledger.len();
        dokku += ledger.iter().filter(|plant| masked.shows(&plant.secret.canaries)).count();
        nothing += ledger.iter().filter(|plant| identity.shows(&plant.secret.canaries)).count();
    }
    tell(&format!(
        "ledger: control: of {planted} planted, Dokku's rule leaks {dokku}, no rule at all {nothing}"
    ));
    assert!(dokku * 10 > planted * 7, "the control must leak: {dokku} of {planted}");
    assert!(nothing * 100 > planted * 95, "the oracle must see what is there: {nothing} of {planted}");
}

/// Makes something that looks harmless.
type Probe = fn(&mut Random) -> String;

#[test]
fn what_is_not_promised_is_the_list_of_shown_places_and_nothing_more() {
    let mut found = BTreeSet::new();
    let probes: [(&str, Probe); 6] = [
        ("word", |random| random.run('k', 9)),
        ("path", |random| format!("/{}/{}", random.run('k', 7), random.run('k', 8))),
        ("number", |random| format!("4{}", random.run('n', 4))),
        ("id", |random| random.run('h', 64)),
        ("id40", |random| random.run('h', 40)),
        ("id25", |random| format!("{}7{}", random.run('l', 12), random.run('l', 12))),
    ];
    for document in documents::all() {
        for (what, probe) in probes {
            let mut value = document.value.clone();
            for site in sites(&document.value) {
                *value.pointer_mut(&site.pointer).expect("the site is there") =
                    Value::String(probe(&mut Random::new(hash(&format!("{what}{}", site.pointer)))));
            }
            let output: Value =
                serde_json::from_str(&sanitized(&value, Policy::default())).expect("the output is JSON");
            let same = |site: &Site| value.pointer(&site.pointer) == output.pointer(&site.pointer);
            found.extend(
                sites(&value).iter().filter(|site| same(site)).map(|site| format!("{what} {}", site.path)),
            );
        }
    }
    let listed: BTreeSet<String> =
        SHOWN.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let unlisted: Vec<_> = found.difference(&listed).collect();
    assert!(unlisted.is_empty(), "shown, and not listed in shown_places.txt: {unlisted:#?}");
}

/// What somebody who helps must still see (the issue of a stopped container is solved with these).
fn is_fact(path: &str) -> bool {
    let ends = [
        "State.Status",
        "State.Health.Status",
        "State.StartedAt",
        "State.FinishedAt",
        "Config.Image",
        "HostConfig.RestartPolicy.Name",
        "HostIp",
        "HostPort",
        "Mounts[].Destination",
        "Mounts[].Type",
        "HostConfig.LogConfig.Type",
        "HostConfig.NetworkMode",
        "RepoTags[]",
        "Created",
        "Architecture",
        "Os",
    ];
    let label = ["com.dokku.", "com.docker.compose.", "org.opencontainers.image.", "org.label-schema."]
        .iter()
        .any(|prefix| path.contains(prefix));
    ends.iter().any(|end| path.ends_with(end)) || label || path == "Name"
}

#[test]
fn of_the_facts_that_a_helper_needs_at_least_ninety_five_percent_remain() {
    let (mut facts, mut kept, mut literal) = (0, 0, (0, 0));
    let mut lost = Vec::new();
    for document in documents::all() {
        let output: Value =
            serde_json::from_str(&sanitized(&document.value, Policy::default())).expect("the output is JSON");
        for site in sites(&document.value) {
            let (before, after) = (document.value.pointer(&site.pointer), output.pointer(&site.pointer));
            let name = |value: Option<&Value>| {
                value
                    .and_then(Value::as_str)
                    .and_then(|text| text.split_once('=').map(|pair| pair.0.to_owned()))
            };
            let env = site.path.ends_with("Config.Env[]");
            if !env && !is_fact(&site.path) {
                continue;
            }
            let same = if env { name(before) == name(after) } else { before == after };
            facts += 1;
            kept += usize::from(same);
            lost.extend((!same).then(|| format!("{}: {}: {before:?}", document.name, site.path)));
        }
        let (numbers, same) = literals(&document.value, &output);
        literal.0 += numbers;
        literal.1 += same;
    }
    tell(&format!(
        "ledger: usefulness: {kept} of {facts} facts that are text, {} of {} numbers, switches and keys",
        literal.1, literal.0
    ));
    assert!(kept * 100 >= facts * 95, "{kept} of {facts}: {lost:#?}");
    assert!(literal.1 * 1000 >= literal.0 * 999, "{literal:?}");
}

/// Exit codes, counts, limits, ports and networks: keys and everything that is no string. (how many, how many remain)
fn literals(before: &Value, after: &Value) -> (usize, usize) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => a.iter().fold((0, 0), |(all, same), (key, value)| {
            let (inner, kept) = literals(value, b.get(key).unwrap_or(&Value::Null));
            (all + inner + 1, same + kept + usize::from(b.contains_key(key)))
        }),
        (Value::Array(a), Value::Array(b)) => {
            a.iter().zip(b).map(|(a, b)| literals(a, b)).fold((0, 0), |x, y| (x.0 + y.0, x.1 + y.1))
        }
        (Value::String(_), _) => (0, 0),
        (a, b) => (1, usize::from(a == b)),
    }
}
