//! Prints the status of the named apps, in the world of the environment. It shows what one question to the engine
//! costs as a whole process.

use std::io::Write;

use formation::AppName;
use ps_apps::World;
use ps_scheduler::Scheduler;
use ps_scheduler_docker::DockerLocal;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let apps: Vec<AppName> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let mut out = std::io::stdout().lock();
    for status in DockerLocal::new(&World::from_env()?).status(&apps)? {
        for instance in status.instances {
            writeln!(out, "{} {} {}", status.app, instance.slot, instance.state.as_str())?;
        }
    }
    Ok(())
}
