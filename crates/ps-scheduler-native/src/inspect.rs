//! Descriptions of an app's instances in the format of `docker inspect`, so that one filter serves both schedulers.

use std::ffi::OsStr;

use formation::{Exit, RestartPolicy};
use ps_scheduler::{Error, Instance};
use ps_service::{Service, backend};
use ps_supervisor::Spec;
use serde_json::{Value, json};

use crate::status;

pub(crate) fn inspect(service: &Service) -> Result<Value, Error> {
    let spec = service.spec()?.ok_or_else(|| Error::NotDeployed { app: service.app.clone() })?;
    status::instances(service)?.iter().map(|instance| describe(service, &spec, instance)).collect()
}

fn describe(service: &Service, spec: &Spec, instance: &Instance) -> Result<Value, Error> {
    let slot = &instance.slot;
    let environment = ps_supervisor::environment(spec, slot, instance.port)
        .map_err(|reason| backend(format!("inspect {slot} of {}", service.app), &reason))?;
    let pair = |(name, value): (&OsStr, &OsStr)| format!("{}={}", name.display(), value.display());
    let env: Vec<String> = environment.iter().map(pair).collect();
    let command = spec.process(&slot.process_type).map(|process| process.command.as_str());
    let since = instance.since.map(|since| since.to_string());
    let ports = instance.port.map_or_else(
        || json!({}),
        |port| json!({ format!("{port}/tcp"): [{ "HostIp": "127.0.0.1", "HostPort": port.to_string() }] }),
    );
    Ok(json!({
        "Name": format!("/{}.{slot}", service.app),
        "Path": "/bin/sh",
        "Args": ["-c", command],
        "Driver": "native",
        "RestartCount": instance.restarts,
        "State": {
            "Status": instance.state.as_str(),
            "Running": instance.state.is_alive(),
            "Pid": instance.pid.unwrap_or(0),
            "ExitCode": match instance.last_exit { Some(Exit::Code(code)) => code, Some(Exit::Signal(n)) => 128 + n, None => 0 },
            "StartedAt": since,
        },
        "Config": {
            "Env": env,
            "Cmd": ["/bin/sh", "-c", command],
            "WorkingDir": spec.directory.to_string_lossy(),
            "Labels": {
                "com.dokku.app-name": service.app.as_str(),
                "com.dokku.process-type": slot.process_type.as_str(),
                "com.dokku.dyno": slot.to_string(),
            },
        },
        "HostConfig": { "RestartPolicy": restart_policy(spec.restart_policy) },
        "NetworkSettings": { "Ports": ports },
    }))
}

fn restart_policy(policy: RestartPolicy) -> Value {
    let (name, retries) = match policy {
        RestartPolicy::OnFailure(retries) => ("on-failure".to_owned(), retries.unwrap_or(0)),
        other => (other.to_string(), 0),
    };
    json!({ "Name": name, "MaximumRetryCount": retries })
}
