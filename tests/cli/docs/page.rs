//! A page: its command blocks, and what it says of them in comments, which a reader of the page does not see.
//!
//! A block `sh` is run, and a block `text` right after it is what it prints. A comment before a block says otherwise:
//! `<!-- not run: REASON -->`, or `<!-- ended by Ctrl-C once: COMMAND -->` for what does not end by itself: it is ended as soon as the
//! command succeeds. `<!-- needs: PROGRAM… -->` anywhere in the page names what a machine may lack; without it the page is skipped.
//! `<!-- world: dokku -->` says that the page is about a machine with Dokku, and an app `shop`; `<!-- world: machines -->` that it is about three
//! machines with Docker, `node1` to `node3`, of which the first one has the programs. There `<!-- machine: node2 -->` says on which one the next
//! block is typed, and `<!-- happens: COMMAND -->` what becomes of one of them, in words of `tests/swarm/cluster`.

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};

/// Languages of blocks that a reader does not type: files, and what stands in them.
const FILES: [&str; 6] = ["json", "ini", "yaml", "js", "dockerfile", "text"];

/// A page.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    /// Programs without which it cannot be run.
    pub(crate) needs: Vec<String>,
    pub(crate) world: World,
    /// The command blocks that are to be run, in their order.
    pub(crate) blocks: Vec<Block>,
}

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// A machine of which nothing is known.
    Machine,
    /// One with Dokku.
    Dokku,
    /// Three with Docker.
    Machines,
}

/// A command block.
pub(crate) struct Block {
    /// The line of the page that it begins in.
    pub(crate) line: usize,
    pub(crate) commands: String,
    /// The machine that it is typed on, where there are several; `None`: the first one.
    pub(crate) machine: Option<String>,
    /// What becomes of a machine before.
    pub(crate) happens: Option<String>,
    /// The command whose success tells that Ctrl-C is due; `None`: the block ends by itself.
    pub(crate) until: Option<String>,
    /// What the page shows as its output; `None`: nothing is shown.
    pub(crate) shown: Option<String>,
}

/// What a comment says of the block that follows.
#[derive(Default)]
enum Remark {
    #[default]
    None,
    NotRun,
    Until(String),
    On(String),
    Happens(String),
}

/// What was read last: a block `text` belongs to the block right above it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    Run,
    Other,
}

impl Page {
    /// Reads a page; every block of it must be one that is known.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the page");
        let mut page =
            Self { path: path.to_owned(), needs: Vec::new(), world: World::Machine, blocks: Vec::new() };
        let (mut remark, mut above) = (Remark::None, Above::Other);
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
                let body = body.flat_map(|line| [line, "\n"]).collect();
                above = page.block(index + 1, language, body, mem::take(&mut remark), above);
            } else if let Some(comment) = line.strip_prefix("<!-- ").and_then(|it| it.strip_suffix(" -->")) {
                match page.comment(comment) {
                    Some(new) => remark = new,
                    None => panic!("{}:{}: nobody knows this comment", path.display(), index + 1),
                }
            } else if !line.is_empty() {
                above = Above::Other;
            }
        }
        page
    }

    fn comment(&mut self, comment: &str) -> Option<Remark> {
        let (word, rest) = comment.split_once(": ")?;
        match word {
            "needs" => {
                self.needs.extend(rest.split(' ').map(str::to_owned));
                Some(Remark::None)
            }
            "world" => {
                self.world = match rest {
                    "dokku" => World::Dokku,
                    "machines" => World::Machines,
                    _ => return None,
                };
                Some(Remark::None)
            }
            "machine" => Some(Remark::On(rest.to_owned())),
            "happens" => Some(Remark::Happens(rest.to_owned())),
            "not run" => Some(Remark::NotRun),
            "ended by Ctrl-C once" => Some(Remark::Until(rest.to_owned())),
            _ => None,
        }
    }

    fn block(&mut self, line: usize, language: &str, body: String, remark: Remark, above: Above) -> Above {
        match (language, remark) {
            ("sh", Remark::NotRun) => Above::Other,
            ("sh", remark) => {
                let mut block =
                    Block { line, commands: body, machine: None, happens: None, until: None, shown: None };
                match remark {
                    Remark::None | Remark::NotRun => {}
                    Remark::Until(command) => block.until = Some(command),
                    Remark::On(machine) => block.machine = Some(machine),
                    Remark::Happens(command) => block.happens = Some(command),
                }
                self.blocks.push(block);
                Above::Run
            }
            ("text", Remark::None) if above == Above::Run => {
                self.blocks.last_mut().expect("the one above").shown = Some(body);
                Above::Other
            }
            (language, Remark::None) if FILES.contains(&language) => Above::Other,
            _ => panic!(
                "{}:{line}: a block of {language:?} is none that is run: what is typed is `sh`, what it prints `text`",
                self.path.display()
            ),
        }
    }
}
