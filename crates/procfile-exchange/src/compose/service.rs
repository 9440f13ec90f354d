//! One service of a Compose file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::model::{Around, Build, ComposeError, Service};
use super::mounts::Mounts;
use super::ports::Ports;
use super::{environment, fields, health, sizes, unknown};
use crate::import::UnknownKey;
use crate::import::node::Node;

/// The setting that names the types which others wait for.
pub(crate) const AFTER: &str = "after";
/// What Compose gives a service to end that says nothing of it.
const USUAL_GRACE: &str = "10s";
/// The setting that says what is done when an instance ends.
pub(crate) const RESTART_POLICY: &str = "restart-policy";

/// What is read of a service.
const KNOWN: [&str; 47] = [
    "image",
    "build",
    "command",
    "entrypoint",
    "environment",
    "env_file",
    "ports",
    "expose",
    "volumes",
    "tmpfs",
    "secrets",
    "configs",
    "depends_on",
    "healthcheck",
    "restart",
    "deploy",
    "scale",
    "user",
    "working_dir",
    "hostname",
    "domainname",
    "tty",
    "stdin_open",
    "init",
    "read_only",
    "cap_add",
    "cap_drop",
    "ulimits",
    "shm_size",
    "dns",
    "dns_search",
    "dns_opt",
    "extra_hosts",
    "labels",
    "stop_signal",
    "stop_grace_period",
    "mem_limit",
    "mem_reservation",
    "cpus",
    "pids_limit",
    "group_add",
    "logging",
    "sysctls",
    "oom_score_adj",
    "security_opt",
    "networks",
    "profiles",
];
/// What says nothing about how a service runs here.
const QUIET: [&str; 3] = ["pull_policy", "attach", "develop"];

/// A service and its context.
pub(crate) struct Reader<'a> {
    pub(crate) name: &'a str,
    pub(crate) fields: &'a Node,
    pub(crate) document: &'a Node,
    pub(crate) around: &'a Around<'a>,
}

impl Reader<'_> {
    /// The service, and which of its keys are not carried over.
    pub(crate) fn read(&self) -> Result<Service, ComposeError> {
        let place = format!("services.{}", self.name);
        let process_type = self.name.parse().map_err(|_| {
            ComposeError::at(
                &place,
                "this is no name of a process type: letters, digits, - and _, 63 at most",
            )
        })?;
        if self.fields.get("extends").is_some() {
            return Err(ComposeError::at(
                format!("{place}.extends"),
                "another service is not read: write this one out",
            ));
        }
        let image = self.text("image");
        let build = self.build(&place)?;
        if image.is_none() && build.is_none() {
            return Err(ComposeError::at(&place, "it has neither an image nor a build"));
        }
        let mut notes = Vec::new();
        let ports = Ports::read(&place, self.fields)?;
        let port = ports.first();
        let mounts = Mounts::read(&place, self.fields, self.document, self.around)?;
        let container = self.container(&place, &ports, &mounts, &mut notes)?;
        let settings = self.settings(&place, &mut notes)?;
        let replicas = self.replicas(&place)?;
        let dropped = self.dropped();
        if !dropped.is_empty() {
            notes.push(format!("{place}: not carried over: {}", dropped.join(", ")));
        }
        Ok(Service { process_type, image, build, replicas, settings, port, container, notes })
    }

    fn get(&self, key: &str) -> Option<&Node> {
        self.fields.get(key).filter(|value| !matches!(value, Node::Nothing))
    }

    fn text(&self, key: &str) -> Option<String> {
        fields::text(self.get(key))
    }

    fn build(&self, place: &str) -> Result<Option<Build>, ComposeError> {
        let place = format!("{place}.build");
        let Some(build) = self.get("build") else { return Ok(None) };
        let context = build.scalar().or_else(|| fields::text(build.get("context")));
        let context = context.unwrap_or_else(|| ".".to_owned());
        if context.contains("://") || context.starts_with("git@") {
            return Err(ComposeError::at(
                &place,
                format!("{context} is not on this machine: fetch it, and name the directory"),
            ));
        }
        let read = ["context", "dockerfile", "args", "target", "labels", "cache_from", "cache_to", "tags"];
        if let Some((key, _)) = build.entries().iter().find(|(key, _)| !read.contains(&key.as_str())) {
            return Err(ComposeError::at(
                format!("{place}.{key}"),
                "it is not heeded here, and the image might be another without it",
            ));
        }
        let mut arguments = BTreeMap::new();
        for (name, value) in fields::pairs(&format!("{place}.args"), build.get("args"), &['='])? {
            arguments.extend(value.or_else(|| (self.around.variable)(&name)).map(|value| (name, value)));
        }
        Ok(Some(Build {
            directory: fields::absolute(self.around, &context),
            dockerfile: fields::text(build.get("dockerfile")).unwrap_or_else(|| "Dockerfile".to_owned()),
            arguments,
            target: fields::text(build.get("target")).unwrap_or_default(),
        }))
    }

    /// The body of the call that makes a container, as far as the file says it.
    fn container(
        &self,
        place: &str,
        ports: &Ports,
        mounts: &Mounts,
        notes: &mut Vec<String>,
    ) -> Result<Value, ComposeError> {
        let mut body = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(key.to_owned(), value);
            }
        };
        let at = |key: &str| format!("{place}.{key}");
        put(
            "Entrypoint",
            fields::command(&at("entrypoint"), self.get("entrypoint"))?.map(|words| {
                // An empty one takes that of the image away.
                if words.is_empty() { json!([""]) } else { json!(words) }
            }),
        );
        put("Cmd", fields::command(&at("command"), self.get("command"))?.map(|words| json!(words)));
        let variables = environment::read(place, self.fields, self.around, notes)?;
        put("Env", (!variables.is_empty()).then(|| json!(variables)));
        for (key, name) in [
            ("user", "User"),
            ("working_dir", "WorkingDir"),
            ("hostname", "Hostname"),
            ("domainname", "Domainname"),
        ] {
            put(name, self.text(key).map(|text| json!(text)));
        }
        for (key, name) in [("tty", "Tty"), ("stdin_open", "OpenStdin")] {
            put(name, fields::truth(&at(key), self.get(key))?.map(|truth| json!(truth)));
        }
        let labels = fields::pairs(&at("labels"), self.get("labels"), &['='])?;
        let labels: Map<String, Value> =
            labels.into_iter().map(|(name, value)| (name, json!(value.unwrap_or_default()))).collect();
        put("Labels", (!labels.is_empty()).then(|| json!(labels)));
        put("Healthcheck", health::read(place, self.fields)?);
        let exposed: Map<String, Value> =
            ports.exposed.iter().map(|port| (port.clone(), json!({}))).collect();
        put("ExposedPorts", (!exposed.is_empty()).then(|| json!(exposed)));
        put("Volumes", (!mounts.anonymous.is_empty()).then(|| json!(mounts.anonymous)));
        let host = self.host(place, ports, mounts)?;
        put("HostConfig", Some(host));
        Ok(Value::Object(body))
    }

    fn host(&self, place: &str, ports: &Ports, mounts: &Mounts) -> Result<Value, ComposeError> {
        let mut host = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                host.insert(key.to_owned(), value);
            }
        };
        let at = |key: &str| format!("{place}.{key}");
        put("PortBindings", (!ports.bindings.is_empty()).then(|| json!(ports.bindings)));
        put("Binds", (!mounts.binds.is_empty()).then(|| json!(mounts.binds)));
        put("Tmpfs", (!mounts.memory.is_empty()).then(|| json!(mounts.memory)));
        for (key, name) in [("init", "Init"), ("read_only", "ReadonlyRootfs")] {
            put(name, fields::truth(&at(key), self.get(key))?.map(|truth| json!(truth)));
        }
        for (key, name) in [
            ("cap_add", "CapAdd"),
            ("cap_drop", "CapDrop"),
            ("dns", "Dns"),
            ("dns_search", "DnsSearch"),
            ("dns_opt", "DnsOptions"),
            ("group_add", "GroupAdd"),
        ] {
            let texts = fields::texts(&at(key), self.get(key))?;
            put(name, (!texts.is_empty()).then(|| json!(texts)));
        }
        for (key, name) in [("shm_size", "ShmSize"), ("mem_reservation", "MemoryReservation")] {
            put(name, size(&at(key), self.get(key))?.map(|bytes| json!(bytes)));
        }
        let hosts = fields::pairs(&at("extra_hosts"), self.get("extra_hosts"), &['=', ':'])?;
        let hosts: Vec<String> =
            hosts.into_iter().filter_map(|(name, address)| Some(format!("{name}:{}", address?))).collect();
        put("ExtraHosts", (!hosts.is_empty()).then(|| json!(hosts)));
        let sysctls = fields::pairs(&at("sysctls"), self.get("sysctls"), &['='])?;
        let sysctls: Map<String, Value> =
            sysctls.into_iter().map(|(name, value)| (name, json!(value.unwrap_or_default()))).collect();
        put("Sysctls", (!sysctls.is_empty()).then(|| json!(sysctls)));
        put("Ulimits", self.ulimits(&at("ulimits"))?);
        put("LogConfig", self.logging(&at("logging"))?);
        Ok(Value::Object(host))
    }

    fn ulimits(&self, place: &str) -> Result<Option<Value>, ComposeError> {
        let Some(limits) = self.get("ulimits") else { return Ok(None) };
        let mut all = Vec::new();
        for (name, limit) in limits.entries() {
            let number = |node: Option<&Node>| fields::text(node).and_then(|text| text.parse::<i64>().ok());
            let (soft, hard) = match limit {
                Node::Map(_) => (number(limit.get("soft")), number(limit.get("hard"))),
                limit => (number(Some(limit)), number(Some(limit))),
            };
            let Some((soft, hard)) = soft.or(hard).zip(hard.or(soft)) else {
                return Err(ComposeError::at(format!("{place}.{name}"), "a number is wanted"));
            };
            all.push(json!({ "Name": name, "Soft": soft, "Hard": hard }));
        }
        Ok(Some(json!(all)))
    }

    fn logging(&self, place: &str) -> Result<Option<Value>, ComposeError> {
        let Some(logging) = self.get("logging") else { return Ok(None) };
        let options = fields::pairs(place, logging.get("options"), &['='])?;
        let options: Map<String, Value> =
            options.into_iter().map(|(name, value)| (name, json!(value.unwrap_or_default()))).collect();
        let driver = fields::text(logging.get("driver")).unwrap_or_default();
        Ok(Some(json!({ "Type": driver, "Config": options })))
    }

    /// What can be set for a process type.
    fn settings(
        &self,
        place: &str,
        notes: &mut Vec<String>,
    ) -> Result<BTreeMap<String, String>, ComposeError> {
        let mut settings = BTreeMap::new();
        let mut set = |name: &str, value: Option<String>| {
            settings.extend(value.map(|value| (name.to_owned(), value)));
        };
        let after = self.after(&format!("{place}.depends_on"))?;
        set(AFTER, (!after.is_empty()).then(|| after.join(",")));
        set("stop-signal", self.text("stop_signal"));
        let grace = self.text("stop_grace_period").unwrap_or_else(|| USUAL_GRACE.to_owned());
        let span = sizes::span(&grace).ok_or_else(|| {
            ComposeError::at(format!("{place}.stop_grace_period"), format!("{grace:?} is no span of time"))
        })?;
        set("stop-timeout-seconds", Some(span.as_secs_f64().ceil().to_string()));
        let limits = self.get("deploy").and_then(|deploy| deploy.get("resources")?.get("limits"));
        let limit = |key: &str, of_deploy: &str| {
            self.text(key).or_else(|| limits.and_then(|limits| fields::text(limits.get(of_deploy))))
        };
        if let Some(text) = limit("mem_limit", "memory") {
            let bytes = sizes::size(&text);
            let bytes = bytes.ok_or_else(|| {
                ComposeError::at(format!("{place}.mem_limit"), format!("{text:?} is no size"))
            })?;
            set("memory-max", Some(format!("{}k", (bytes + 1023) / 1024)));
        }
        set("cpu-max", limit("cpus", "cpus"));
        set("pids-max", limit("pids_limit", "pids").filter(|most| most != "-1"));
        set("oom-score-adj", self.text("oom_score_adj"));
        set(RESTART_POLICY, self.restart_policy());
        for option in fields::texts(&format!("{place}.security_opt"), self.get("security_opt"))? {
            match option.as_str() {
                "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true" => {
                    set("no-new-privileges", Some("yes".to_owned()));
                }
                "no-new-privileges:false" => {}
                other => notes.push(format!("{place}: not carried over: security_opt {other}")),
            }
        }
        Ok(settings)
    }

    /// What is done when it ends; a service that says nothing of it is treated as any process type.
    fn restart_policy(&self) -> Option<String> {
        let deploy = self.get("deploy").and_then(|deploy| deploy.get("restart_policy"));
        let of_deploy = deploy.map(|policy| {
            let most = fields::text(policy.get("max_attempts"));
            match fields::text(policy.get("condition")).as_deref() {
                Some("none") => "no".to_owned(),
                Some("on-failure") => {
                    most.map_or("on-failure".to_owned(), |most| format!("on-failure:{most}"))
                }
                _ => "always".to_owned(),
            }
        });
        // A no without quotes is false to some readers of YAML.
        let own = self.text("restart").map(|word| if word == "false" { "no".to_owned() } else { word });
        own.or(of_deploy)
    }

    /// The types that it waits for.
    fn after(&self, place: &str) -> Result<Vec<String>, ComposeError> {
        let Some(depends) = self.get("depends_on") else { return Ok(Vec::new()) };
        let Node::Map(entries) = depends else {
            return Ok(fields::texts(place, Some(depends))?
                .into_iter()
                .map(|name| format!("{name}:started"))
                .collect());
        };
        let milestone = |(name, how): &(String, Node)| {
            let word = match fields::text(how.get("condition")).as_deref() {
                None | Some("service_started") => "started",
                Some("service_healthy") => "ready",
                Some("service_completed_successfully") => "done",
                Some(other) => return Err(ComposeError::at(place, format!("{other:?} is no condition"))),
            };
            Ok(format!("{name}:{word}"))
        };
        entries.iter().map(milestone).collect()
    }

    fn replicas(&self, place: &str) -> Result<Option<u16>, ComposeError> {
        let of_deploy = self.get("deploy").and_then(|deploy| fields::text(deploy.get("replicas")));
        let Some(text) = of_deploy.or_else(|| self.text("scale")) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| ComposeError::at(place, format!("{text:?} is no number of replicas")))
    }

    /// The unknown keys.
    pub(crate) fn unknown(&self) -> Vec<UnknownKey> {
        unknown::of(self.name, self.fields, &[&KNOWN, &QUIET])
    }

    /// The keys that are not read, by name.
    fn dropped(&self) -> Vec<String> {
        let is_dropped = |key: &str, value: &Node| {
            !KNOWN.contains(&key) && !QUIET.contains(&key) && !key.starts_with("x-") && !value.is_empty()
        };
        let own = self.fields.entries().iter().filter(|(key, value)| is_dropped(key, value));
        let mut dropped: Vec<String> = own.map(|(key, _)| key.clone()).collect();
        if self.get("networks").is_some_and(|networks| !is_default(networks)) {
            dropped.push("networks (all services share one)".to_owned());
        }
        dropped.extend(unknown::parts(self.fields));
        if self
            .get("build")
            .is_some_and(|build| build.get("cache_from").is_some() || build.get("cache_to").is_some())
        {
            dropped.push("build.cache_from, build.cache_to".to_owned());
        }
        dropped
    }
}

fn size(place: &str, node: Option<&Node>) -> Result<Option<i64>, ComposeError> {
    let Some(text) = fields::text(node) else { return Ok(None) };
    sizes::size(&text).map(Some).ok_or_else(|| ComposeError::at(place, format!("{text:?} is no size")))
}

fn is_default(networks: &Node) -> bool {
    match networks {
        Node::List(names) => names.iter().all(|name| name.scalar().as_deref() == Some("default")),
        networks => networks.entries().iter().all(|(name, how)| name == "default" && how.is_empty()),
    }
}
