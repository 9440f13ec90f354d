//! Apps in three languages are replaced again and again under load, and no client notices: with a new connection for each request, with
//! connections that are kept, with bodies that come slowly, and with websockets, all at once.

use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use endurance::part::{Chance, count};
use endurance::processes;
use endurance::site::{Language, Reached, Site, is_port_taken};
use endurance::world::World;
use faults::note;

/// Every so manyth reload is one whose receipt is compared with what clients have counted.
const COUNTED: usize = 5;
/// Answers before the first reload.
const STEADY: usize = 500;
/// By how much longer 99 of 100 requests may take during reloads. A claim about time is for a run that has the machine for itself.
const SLOWER: std::time::Duration = std::time::Duration::from_millis(50);

fn holds(test: impl FnOnce() -> Result<()>) {
    if let Err(error) = test() {
        panic!("{error:#}");
    }
}

/// One app is reloaded so many times.
fn reloads_of(world: &World, language: Language, command: &str, times: usize) -> Result<()> {
    let site = Site::open(world, language, command, Reached::AtAddress)?;
    site.crowd.is_answered(STEADY)?;
    let began = Instant::now();
    let (mut round, mut counted, mut again) = (1, 0, 0);
    while round <= times && site.crowd.is_content() {
        let is_counted = round % COUNTED == 1;
        let reload = if is_counted { site.counted_reload(round) } else { site.reload(round) };
        match reload.and_then(|reload| reload.is_clean()) {
            Ok(()) => (round, counted) = (round + 1, counted + usize::from(is_counted)),
            Err(error) if is_port_taken(&error) => again += 1,
            Err(error) => return Err(error.context(format!("reload {round} of {language:?}"))),
        }
        site.crowd.go_on();
    }
    let took = began.elapsed();
    let seen = site.crowd.end()?;
    let (steady, during) = (seen.p99(|asked| asked < began), seen.p99(|asked| asked >= began));
    let during_answers = seen.answers.iter().filter(|answer| answer.asked >= began).count();
    note(&format!(
        "{language:?}: {} reloads in {:.0?}, {} requests ({:.0} a second) on {} connections, {} failures; {counted} receipts are as clients have counted; {again} tried again for a port; p99 {:?} before, {:?} during reloads",
        round - 1,
        took,
        seen.asked,
        f64::from(u32::try_from(during_answers)?) / took.as_secs_f64(),
        seen.connections,
        seen.failures.len(),
        steady.unwrap_or_default(),
        during.unwrap_or_default(),
    ));
    seen.is_whole().with_context(|| format!("{language:?}"))?;
    ensure!(!faults::long() || during <= steady.map(|it| it + SLOWER), "slower by more than {SLOWER:?}");
    Ok(())
}

#[test]
fn no_client_notices_reloads_of_apps_in_three_languages_and_receipts_count_as_clients_do() {
    holds(|| {
        let languages = [Language::Sample, Language::Python, Language::Node];
        let here = languages.iter().filter_map(|language| Some((*language, language.command()?)));
        let here: Vec<(Language, String)> = here.collect();
        if here.len() < languages.len() {
            skipped::skip(format_args!("python3 or node is not here: only {here:?} are reloaded"));
        }
        let (world, times) = (World::new()?, count(20, 1000)?.div_ceil(here.len()));
        thread::scope(|scope| {
            let all: Vec<_> = here
                .iter()
                .map(|(language, command)| scope.spawn(|| reloads_of(&world, *language, command, times)))
                .collect();
            let ended = all.into_iter().map(|app| app.join().map_err(|_| anyhow::anyhow!("it panicked"))?);
            let failed: Vec<String> =
                ended.filter_map(Result::err).map(|error| format!("{error:#}")).collect();
            ensure!(failed.is_empty(), failed.join("\n"));
            Ok(())
        })
    });
}

/// The sample app and its clients.
fn sample(world: &World, reached: Reached) -> Result<Site<'_>> {
    let command = Language::Sample.command().context("our own is here")?;
    let site = Site::open(world, Language::Sample, &command, reached)?;
    site.crowd.is_answered(100)?;
    Ok(site)
}

/// Whether clients have noticed one of some reloads.
fn is_seen(site: &Site<'_>, what: &str, reload: impl Fn(usize) -> Result<()>) -> Result<()> {
    let mut times = 0;
    while site.crowd.is_content() && times < 50 {
        times += 1;
        reload(times)?;
    }
    let failures = site.crowd.seen().failures;
    note(&format!("{what} (control): {} failures after {times} reloads", failures.len()));
    ensure!(!failures.is_empty(), "nobody has noticed: the harness is blind");
    Ok(())
}

#[test]
fn a_reload_that_closes_the_port_and_binds_it_again_is_seen() {
    holds(|| {
        let world = World::new()?;
        let site = sample(&world, Reached::AtPort)?;
        is_seen(&site, "close and bind again", |round| site.reload(round).map(drop))
    });
}

#[test]
fn a_reload_that_forgets_to_drain_is_seen() {
    holds(|| {
        let world = World::new()?;
        let site = sample(&world, Reached::AtAddress)?;
        is_seen(&site, "without draining", |round| site.reload_without_draining(round))
    });
}

/// Kills a process so many times under load; how many times that was.
fn killed_again_and_again(site: &Site<'_>, process: impl Fn() -> Result<u32>) -> Result<usize> {
    let (times, mut chance) = (count(5, 100)?, Chance::begin()?);
    for _ in 0..times {
        chance.pause();
        processes::kill(process()?)?;
        site.crowd.is_answered(10)?;
    }
    Ok(times)
}

#[test]
fn clients_notice_nothing_of_the_deaths_of_the_supervisor() {
    holds(|| {
        let world = World::new()?;
        let site = sample(&world, Reached::AtAddress)?;
        let times = killed_again_and_again(&site, || world.supervisor(Language::Sample.app()))?;
        let seen = site.crowd.end()?;
        note(&format!(
            "supervisor killed {times} times: {} requests, {} failures",
            seen.asked,
            seen.failures.len()
        ));
        seen.is_whole()
    });
}

#[test]
fn no_connect_is_refused_where_ps_balance_dies() {
    holds(|| {
        let world = World::new()?;
        let site = sample(&world, Reached::AtAddress)?;
        let times = killed_again_and_again(&site, || site.balance())?;
        let seen = site.crowd.end()?;
        let refused = seen.failures.iter().filter(|why| why.contains("refused")).count();
        note(&format!(
            "ps-balance killed {times} times: {} connections, {} lost with it, {refused} connects refused",
            seen.connections,
            seen.failures.len()
        ));
        ensure!(refused == 0 && seen.connections > 0, "{refused} connects were refused");
        Ok(())
    });
}
