//! Apps of pm2 in cluster mode: the instances of a Node program share the ports that they ask for. pm2 is their primary; here each of
//! them is started by a program that takes its place, and that says when it is ready and ends it.

use crate::import::command::{Command, Piece, Word, literal};
use crate::import::error::ImportError;
use crate::import::found::Asked;
use crate::import::gather::Gathering;
use crate::import::node::Node;
use crate::import::pm2_setting::note_cluster;
use crate::import::pm2_values::declaration;
use crate::pm2::{self, Declaration};

/// Seconds that connections may go on once an instance was told to leave, where nothing is said: pm2's `PM2_GRACEFUL_TIMEOUT`.
const DRAIN: u64 = 8;
/// The longest that an app.json may say, without what comes on top, in seconds.
const LONGEST_DRAIN: u64 = 86_000;
/// Seconds for what comes after the last connection.
const GOODBYE: u64 = 2;

/// What is put before the command of such an app.
pub(crate) struct Shared {
    before: Vec<String>,
    drain: u64,
    port: Option<u16>,
}

/// What an app in cluster mode needs; `None` if it is in fork mode, or if its instances cannot share their ports, which is noted.
///
/// # Errors
/// A value makes no sense.
pub(crate) fn of(
    gathering: &mut Gathering,
    name: &str,
    app: &Node,
    command: &Command,
) -> Result<Option<Shared>, ImportError> {
    let declared = declaration(app.entries());
    let wrong = |why| ImportError::Syntax("process file of pm2", format!("{name}: {why}"));
    let Some(sharing) = gathering.sharing().filter(|_| runs_node(command)).map(<[String]>::to_vec) else {
        if app.get("instances").and_then(Node::scalar).is_some_and(|count| count != "1") {
            note_cluster(gathering, name, app);
        }
        return Ok(None);
    };
    if !is_cluster(&declared).map_err(wrong)? {
        return Ok(None);
    }
    if declared.get("uid").is_some() {
        let what =
            "exec_mode cluster: an instance of another user cannot share a port, so each has its own PORT";
        gathering.note(name, what);
        return Ok(None);
    }
    let mut before = sharing;
    for (key, option) in [("wait_ready", "--wait-ready"), ("shutdown_with_message", "--shutdown-message")] {
        if declared.flag(key).map_err(wrong)?.unwrap_or(false) {
            before.push(option.to_owned());
        }
    }
    let kill = declared.number("kill_timeout").map_err(wrong)?.unwrap_or(0);
    let drain = kill.div_ceil(1000).clamp(DRAIN, LONGEST_DRAIN);
    let port = declared.get("port").and_then(|port| pm2::as_text(port).trim().parse().ok());
    Ok(Some(Shared { before, drain, port }))
}

/// Cluster mode is what an app says, and as in pm2 what a Node program with `instances` is.
fn is_cluster(declared: &Declaration) -> Result<bool, pm2::InvalidValue> {
    let mode = declared.text("exec_mode")?.filter(|mode| !mode.is_empty());
    Ok(mode.map_or_else(|| declared.get("instances").is_some(), |mode| mode.starts_with("cluster")))
}

fn runs_node(command: &Command) -> bool {
    let Command::Argv(words) = command else { return false };
    let [first, _, ..] = &words[..] else { return false };
    let is_node = |text: &str| matches!(text.rsplit('/').next(), Some("node" | "nodejs"));
    matches!(&first[..], [Piece::Literal(text)] if is_node(text))
}

impl Shared {
    /// The command with what is put before it. All instances ask for the same port, so it is no port of the supervisor's, which gives each
    /// instance another one.
    pub(crate) fn put(
        self,
        command: Command,
        environment: &mut Vec<(String, String)>,
        asked: &mut Asked,
    ) -> Command {
        let Command::Argv(words) = command else { return command };
        let said = environment.iter().position(|(name, _)| name == "PORT").map(|at| environment.remove(at).1);
        let port = self.port.map(|port| port.to_string()).or(said);
        let mut all: Vec<Word> = Vec::new();
        if let Some(port) = port {
            all.extend([literal("env"), literal(&format!("PORT={port}"))]);
        }
        all.extend(self.before.iter().map(|word| literal(word)));
        all.extend(["--drain-limit", &self.drain.to_string(), "--"].map(literal));
        all.extend(words);
        asked.shares_ports = true;
        asked.settings.remove("port");
        asked.set("ready", "notify");
        asked.set("stop_tree", "main");
        asked.set("strategy", "overlap");
        asked.set("stop_timeout_seconds", self.drain + GOODBYE);
        Command::Argv(all)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::import::{Imported, Manager, Surroundings};

    fn read(app: &str, sharing: Option<&[String]>) -> Imported {
        let (files, enter_directories, whole) = (None, true, Some("/srv/shop"));
        let around = Surroundings { name: "pm2.json", app: "", files, enter_directories, whole, sharing };
        Manager::Pm2.read_in(&around, format!("[{app}]").as_bytes()).expect("it can be read")
    }

    fn procfile(app: &str) -> String {
        let sharing = ["/opt/ps-node", "--share", "/run/s"].map(str::to_owned);
        String::from_utf8(read(app, Some(&sharing)).procfile).expect("text")
    }

    #[test]
    fn instances_in_cluster_mode_share_their_ports_and_have_one_port() {
        let app = r#"{"name": "api", "script": "a.js", "exec_mode": "cluster_mode", "instances": "max", "port": "8050",
            "env": {"PORT": "1"}, "kill_timeout": 9500, "waitReady": true, "args": "-q 1"}"#;
        let line = "api: env PORT=8050 /opt/ps-node --share /run/s --wait-ready --drain-limit 10 -- node a.js -q 1\n";
        assert_eq!(procfile(app), line);
        let sharing = ["ps-node".to_owned()];
        let read = read(app, Some(&sharing));
        let settings = &read.whole.settings["api"];
        assert_eq!((&settings["ready"], &settings["stop_tree"]), (&json!("notify"), &json!("main")));
        assert_eq!(
            (&settings["stop_timeout_seconds"], &settings["strategy"]),
            (&json!(12), &json!("overlap"))
        );
        assert_eq!((settings.get("port"), &read.whole.counts["api"]), (None, &"max".to_owned()));
        assert_eq!((read.notes, read.env_file, read.whole.shared.len()), (vec![], vec![], 1));
    }

    #[test]
    fn a_node_program_with_instances_is_in_cluster_mode_unless_it_says_fork() {
        let of = |rest: &str| procfile(&format!(r#"{{"name": "x", {rest}}}"#));
        assert!(of(r#""script": "a.js", "instances": 2"#).contains("/opt/ps-node"));
        for rest in [
            r#""script": "a.js""#,
            r#""script": "a.js", "instances": 2, "exec_mode": "fork""#,
            r#""script": "a.py", "instances": 2, "exec_mode": "cluster""#,
            r#""script": "a.js", "instances": 2, "uid": "www-data""#,
        ] {
            assert!(!of(rest).contains("ps-node"), "{rest}");
        }
        let of_user =
            r#"{"name": "x", "script": "a.js", "exec_mode": "cluster", "instances": 2, "uid": "www-data"}"#;
        assert!(read(of_user, Some(&[])).notes[0].contains("another user"));
        assert!(read(of_user, None).notes[0].contains("do not share a port"));
    }
}
