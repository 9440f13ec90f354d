//! The setting `env-as-secrets`: the variables of an app come as a file that is a secret of the swarm, and a script for `/bin/sh` exports
//! them before it executes what the container is to run. So no value stands in a specification, in arguments, or in a description.

use formation::{AppName, ProcessType};
use ps_engine::{Engine, Fault};
use ps_release::in_container;
use ps_scheduler::{Error, Release};
use serde_json::{Value, json};
use type_settings::Switch;

use crate::manager::Manager;
use crate::secret::{self, LARGEST, Secret};
use crate::shell::{self, SHELL, of_image};
use crate::swarm::Swarm;

/// The file of the secret, in the directory where a swarm has them.
const FILE: &str = "formation-environment";
/// Whoever the process runs as reads the file. Nobody else sees it: it lies in the memory of this container.
const MODE: u32 = 0o444;

/// What takes the environment of a type out of its specification.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    secret: Secret,
    /// What an engine puts before the arguments of a container of this image.
    entrypoint: Vec<String>,
    /// What a container runs that is given no arguments.
    command: Vec<String>,
}

/// Whether the environment of a type comes as a secret.
pub(crate) fn is_sealed(release: &Release, process_type: &ProcessType) -> bool {
    release.settings(process_type).env_as_secrets.is_some_and(Switch::is_on) && !release.env.is_empty()
}

impl Seal {
    /// The seal for the types of a release that have one; `None` if none of these has. The secret is made if it is not there.
    pub(crate) async fn of(
        manager: &Manager<'_>,
        release: &Release,
        mut types: impl Iterator<Item = &ProcessType>,
    ) -> Result<Option<Self>, Error> {
        let Some(process_type) = types.find(|process_type| is_sealed(release, process_type)) else {
            return Ok(None);
        };
        let name = release.source.image(process_type).unwrap_or_default();
        let image = manager.engine.image(name).await.map_err(|fault| of_image(&fault, &release.app, name))?;
        let secret = secret::ensured(manager, &script(release)).await?;
        Ok(Some(Self { secret, entrypoint: image.entrypoint, command: image.command }))
    }

    /// Takes the variables of the app out of the specification of a container, and has it export them when it starts.
    pub(crate) fn put_on(&self, container: &mut Value, process_type: &ProcessType) {
        let dyno = container["Env"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let dyno = dyno.filter(|pair| pair.starts_with("DYNO=")).map(str::to_owned);
        let port = in_container::port(process_type).map(|port| format!("PORT={port}"));
        let own: Vec<String> = port.clone().into_iter().chain(dyno).collect();
        // PORT of the app's own environment is not that of a type which has one.
        let again = port.map_or_else(String::new, |port| format!("export {port}; "));
        let wrapper = format!(". /run/secrets/{FILE} && {{ {again}exec \"$@\"; }}");
        let given = container["Command"].as_array().map(|words| words.iter().filter_map(Value::as_str));
        let entrypoint: Vec<&str> =
            given.map_or_else(|| self.entrypoint.iter().map(String::as_str).collect(), Iterator::collect);
        let words = [SHELL, "-c", wrapper.as_str(), "sh"].into_iter().chain(entrypoint).map(str::to_owned);
        container["Command"] = json!(words.collect::<Vec<String>>());
        if container["Args"].is_null() {
            container["Args"] = json!(self.command);
        }
        container["Env"] = json!(own);
        container["Secrets"] = json!([{
            "SecretID": self.secret.id, "SecretName": self.secret.name,
            "File": { "Name": FILE, "UID": "0", "GID": "0", "Mode": MODE },
        }]);
        // A check may be a command that needs a variable.
        if let Some(Value::String(check)) =
            container["Healthcheck"]["Test"].as_array_mut().and_then(|test| test.last_mut())
        {
            *check = format!(". /run/secrets/{FILE} || exit 1\n{check}");
        }
    }
}

/// What exports the variables, for a shell.
fn script(release: &Release) -> String {
    let quoted = |value: &str| value.replace('\'', r"'\''");
    // Each instance has a DYNO of its own.
    let all = release.env.iter().filter(|(name, _)| name != "DYNO");
    let lines: Vec<String> =
        all.map(|(name, value)| format!("export {name}='{}'\n", quoted(value))).collect();
    lines.concat()
}

/// Why the environment of a type cannot come as a secret; `None` if it can, or is not to. The image is looked at on this machine, and nothing
/// of it is run.
pub(crate) async fn refusal(
    swarm: &Swarm,
    release: &Release,
    process_type: &ProcessType,
) -> Result<Option<String>, Error> {
    if !is_sealed(release, process_type) {
        return Ok(None);
    }
    let size = script(release).len();
    if size > LARGEST {
        return Ok(Some(format!(
            "the environment of {} takes {size} bytes, and a secret of a swarm has {LARGEST} at most: make it smaller, or ps-set {} env-as-secrets no",
            release.app, release.app
        )));
    }
    if let Some((name, _)) = release.env.iter().find(|(name, _)| !is_plain(name)) {
        return Ok(Some(format!(
            "the variable {name} cannot come as a secret, because no shell can export its name: rename it, or ps-set {} env-as-secrets no",
            release.app
        )));
    }
    let image = release.source.image(process_type).unwrap_or_default();
    let engine = swarm.engine()?;
    let looked = of_shell(engine, swarm, &release.app, image).await;
    looked.map_err(|fault| of_image(&fault, &release.app, image)).map(|missing| {
        missing.map(|missing| {
            format!(
                "the environment of {process_type} cannot come as a secret, because {missing}: ps-set {} {process_type}.env-as-secrets no has it in the specification",
                release.app
            )
        })
    })
}

/// What keeps an image from handing its variables on through a shell; `None`: nothing.
async fn of_shell(
    engine: &Engine,
    swarm: &Swarm,
    app: &AppName,
    image: &str,
) -> Result<Option<String>, Fault> {
    let environment = engine.image(image).await?.environment;
    let mut names = environment.iter().filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
    if let Some(odd) = names.find(|name| !is_plain(name)) {
        return Ok(Some(format!("its image {image} has the variable {odd}, which a shell may drop")));
    }
    let has_shell = shell::is_in(engine, swarm, app, image).await?;
    Ok((!has_shell).then(|| format!("its image {image} has no {SHELL}, which exports it")))
}

/// Whether a shell could have set a variable of this name.
fn is_plain(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::release;

    fn seal() -> Seal {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Seal {
            secret: Secret { id: "s".into(), name: "shop-1".into() },
            entrypoint: words(&["/entry", "-x"]),
            command: words(&["serve"]),
        }
    }

    #[test]
    fn no_value_stays_in_a_specification_and_what_the_image_runs_is_what_runs() {
        let web = "web".parse().expect("a type");
        let mut container = json!({
            "Image": "shop:1", "Env": ["KEY=secret", "PORT=5000", "DYNO=web.{{.Task.Slot}}"],
            "Healthcheck": {"Test": ["CMD", "/bin/sh", "-c", "check"]},
        });
        let mut given = container.clone();
        seal().put_on(&mut container, &web);
        assert!(!container.to_string().contains("secret\""), "{container}");
        assert_eq!(container["Env"], json!(["PORT=5000", "DYNO=web.{{.Task.Slot}}"]));
        let wrapper = ". /run/secrets/formation-environment && { export PORT=5000; exec \"$@\"; }";
        assert_eq!(container["Command"], json!(["/bin/sh", "-c", wrapper, "sh", "/entry", "-x"]));
        assert_eq!(container["Args"], json!(["serve"]));
        assert_eq!(container["Secrets"][0]["File"]["Mode"], 0o444);
        let check = container["Healthcheck"]["Test"][3].as_str().expect("a script");
        assert!(
            check.starts_with(". /run/secrets/formation-environment || exit 1\n") && check.ends_with("check")
        );
        let mut launched = given.clone();
        (launched["Command"], launched["Args"]) = (json!(["launcher"]), json!(["work"]));
        seal().put_on(&mut launched, &web);
        assert_eq!(launched["Command"], json!(["/bin/sh", "-c", wrapper, "sh", "launcher"]));
        given["Args"] = json!(["/bin/sh", "-c", "exec work"]);
        seal().put_on(&mut given, &"worker".parse().expect("a type"));
        assert_eq!(given["Args"], json!(["/bin/sh", "-c", "exec work"]));
        assert_eq!(given["Env"], json!(["DYNO=web.{{.Task.Slot}}"]));
    }

    #[test]
    fn a_value_is_exported_as_it_is_whatever_is_in_it() {
        let mut release = release("web");
        let pairs = [("A", "it's\n$(no) `this` = \"that\" \\"), ("DYNO", "x"), ("B", "")];
        release.env = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(script(&release), "export A='it'\\''s\n$(no) `this` = \"that\" \\'\nexport B=''\n");
        let out = std::process::Command::new("/bin/sh")
            .args(["-c", &format!("{}printf '%s' \"$A\"", script(&release))])
            .output()
            .expect("a shell");
        assert_eq!(String::from_utf8_lossy(&out.stdout), pairs[0].1);
    }

    #[test]
    fn a_type_without_variables_needs_no_secret() {
        let web = "web".parse().expect("a type");
        let mut release = release("web");
        assert!(!is_sealed(&release, &web));
        crate::spec::tests::set(&mut release, "env-as-secrets", "yes");
        assert!(is_sealed(&release, &web));
        release.env.clear();
        assert!(!is_sealed(&release, &web));
    }
}
