//! The socket on which the engine listens: that of `DOCKER_HOST`, or else the default one.

use std::path::PathBuf;

use crate::Fault;

const USUAL: &str = "/var/run/docker.sock";

/// The socket that a value of `DOCKER_HOST` names. `None` and an empty value mean `/var/run/docker.sock`. An engine
/// on another machine is refused, because the ids and addresses of its containers are of no use here.
pub fn socket(docker_host: Option<&str>) -> Result<PathBuf, Fault> {
    let Some(host) = docker_host.filter(|host| !host.is_empty()) else { return Ok(PathBuf::from(USUAL)) };
    let path = host.strip_prefix("unix://").unwrap_or(host);
    if path.starts_with('/') {
        return Ok(PathBuf::from(path));
    }
    Err(Fault::Elsewhere {
        host: host.to_owned(),
        reason: format!("only an engine on this machine is used: unset it, or set unix://{USUAL}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_names_a_socket_of_this_machine_or_is_refused() {
        let path = |host| socket(host).map(|path| path.display().to_string()).ok();
        assert_eq!(path(None).as_deref(), Some(USUAL));
        assert_eq!(path(Some("")).as_deref(), Some(USUAL));
        assert_eq!(path(Some("unix:///run/user/1/d.sock")).as_deref(), Some("/run/user/1/d.sock"));
        let refused = socket(Some("tcp://10.0.0.1:2375")).expect_err("an engine elsewhere").to_string();
        assert!(refused.contains("tcp://10.0.0.1:2375") && refused.contains("unset it"), "{refused}");
    }
}
