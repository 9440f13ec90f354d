//! The parts of a Dockerfile that matter before the build: images, frontend, builder. The engine checks its
//! instructions.

/// Instructions that may have here-documents.
const WITH_DOCUMENTS: [&str; 3] = ["run", "copy", "add"];
/// The arguments that BuildKit sets by itself; the classic builder leaves them empty.
const PLATFORM_ARGUMENTS: [&str; 8] = [
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
];
/// The arguments among them that name the platform of the engine itself. No other platform is requested here.
const OWN_PLATFORM: [&str; 4] =
    ["$BUILDPLATFORM", "${BUILDPLATFORM}", "$TARGETPLATFORM", "${TARGETPLATFORM}"];
/// The names of the frontend that belongs to BuildKit, without a tag.
const STOCK_FRONTENDS: [&str; 2] = ["docker/dockerfile", "docker/dockerfile-upstream"];

/// The parts of a Dockerfile that matter before the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// The images that the Dockerfile names, for the engine's own platform, without its stages and without images that depend on
    /// an argument.
    pub(crate) images: Vec<String>,
    /// The image of the frontend that it requests: `docker/dockerfile:1`.
    pub(crate) frontend: Option<String>,
    /// The first feature that only BuildKit has, for people: `RUN --mount`.
    pub(crate) only_buildkit: Option<String>,
    /// The first feature that needs a session of a client: `RUN --mount=type=secret`.
    pub(crate) needs_session: Option<String>,
    /// The names of its stages, and other names that look like images.
    stages: Vec<String>,
}

/// An instruction, which may extend over several lines.
struct Instruction<'a> {
    /// The name in lower case, such as `run`.
    name: String,
    /// The options, such as `--mount=type=cache,target=/x`.
    options: Vec<&'a str>,
    words: Vec<&'a str>,
    has_document: bool,
}

impl Dockerfile {
    pub(crate) fn parse(text: &str) -> Self {
        let mut dockerfile = Self { stages: vec!["scratch".to_owned()], ..Self::default() };
        dockerfile.frontend = directives(text).find_map(|(name, value)| (name == "syntax").then_some(value));
        dockerfile.only_buildkit =
            dockerfile.frontend.as_ref().map(|frontend| format!("# syntax={frontend}"));
        for (line, has_document) in logical_lines(text) {
            dockerfile.take(&Instruction::of(&line, has_document));
        }
        dockerfile
    }

    /// Whether the frontend is one that the engine has too, in some version.
    pub(crate) fn has_stock_frontend(&self) -> bool {
        let name = self.frontend.as_deref().and_then(|frontend| frontend.split([':', '@']).next());
        let name = name.map(|name| name.strip_prefix("docker.io/").unwrap_or(name));
        name.is_some_and(|name| STOCK_FRONTENDS.contains(&name))
    }

    fn take(&mut self, instruction: &Instruction<'_>) {
        if let Some(feature) = instruction.only_buildkit() {
            self.only_buildkit.get_or_insert(feature);
        }
        if let Some(mount) = instruction.session_mount() {
            self.needs_session.get_or_insert(mount);
        }
        if instruction.name != "from" {
            instruction.images().for_each(|image| self.add_image(image));
            return;
        }
        let mut words = instruction.words.iter();
        let platform = instruction.options.iter().find_map(|option| option.strip_prefix("--platform="));
        if let Some(image) = words.next().filter(|_| platform.is_none_or(|one| OWN_PLATFORM.contains(&one))) {
            self.add_image(image);
        }
        self.stages.extend(words.nth(1).map(|stage| stage.to_lowercase()));
    }

    fn add_image(&mut self, image: &str) {
        let is_stage = self.stages.contains(&image.to_lowercase()) || image.parse::<usize>().is_ok();
        if !image.contains('$') && !is_stage && !self.images.iter().any(|known| known == image) {
            self.images.push(image.to_owned());
        }
    }
}

impl<'a> Instruction<'a> {
    fn of(line: &'a str, has_document: bool) -> Self {
        let mut words = line.split_whitespace().peekable();
        let mut name = words.next().unwrap_or_default().to_lowercase();
        if name == "onbuild" {
            name = words.next().unwrap_or_default().to_lowercase();
        }
        let options = std::iter::from_fn(|| words.next_if(|word| word.starts_with("--"))).collect();
        Self { name, options, words: words.collect(), has_document }
    }

    fn only_buildkit(&self) -> Option<String> {
        let is_classic = |option: &str| match self.name.as_str() {
            "run" => false,
            "copy" | "add" => ["--from=", "--chown="].iter().any(|known| option.starts_with(known)),
            "from" => !names_platform_argument(option),
            _ => true,
        };
        let name = self.name.to_uppercase();
        if let Some(option) = self.options.iter().find(|option| !is_classic(option)) {
            return Some(format!("{name} {}", option.split('=').next().unwrap_or_default()));
        }
        if self.has_document {
            return Some(format!("a here-document of {name}"));
        }
        let argument = self.words.first().filter(|_| self.name == "arg")?;
        PLATFORM_ARGUMENTS.contains(argument).then(|| format!("ARG {argument}"))
    }

    /// The kind of a mount that a client would have to serve during the build.
    fn session_mount(&self) -> Option<String> {
        let kind = |option: &str| {
            let fields = option.strip_prefix("--mount=")?;
            let kind = fields.split(',').find_map(|field| field.strip_prefix("type="))?;
            ["secret", "ssh"].contains(&kind).then(|| format!("RUN --mount=type={kind}"))
        };
        self.options.iter().find_map(|option| kind(option)).filter(|_| self.name == "run")
    }

    /// The stages and images that the instruction takes files from.
    fn images(&self) -> impl Iterator<Item = &'a str> {
        self.options.iter().flat_map(|option| {
            let fields = option.strip_prefix("--mount=").unwrap_or_else(|| option.trim_start_matches("--"));
            fields.split(',').filter_map(|field| field.strip_prefix("from="))
        })
    }
}

fn names_platform_argument(text: &str) -> bool {
    text.contains('$') && PLATFORM_ARGUMENTS.iter().any(|argument| text.contains(argument))
}

/// The directives at the beginning of a Dockerfile, with names in lower case: `# escape=` and a backtick.
fn directives(text: &str) -> impl Iterator<Item = (String, String)> {
    text.lines().map_while(|line| {
        let (name, value) = line.trim().strip_prefix('#')?.split_once('=')?;
        let name = name.trim();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_name.then(|| (name.to_lowercase(), value.trim().to_owned()))
    })
}

/// The Dockerfile for the engine's own frontend: the directive `syntax` becomes a comment, so that line numbers stay the same.
///
/// A comment ends the directives, so it comes after the other ones.
pub(crate) fn without_frontend(text: &str) -> String {
    let count = directives(text).count();
    let is_syntax = |line: &&str| directives(line).any(|(name, _)| name == "syntax");
    let (head, rest): (Vec<&str>, Vec<&str>) =
        (text.lines().take(count).collect(), text.lines().skip(count).collect());
    let (syntax, stay): (Vec<&str>, Vec<&str>) = head.into_iter().partition(is_syntax);
    let syntax = syntax.into_iter().map(|line| line.replacen('=', ": ", 1));
    let lines = stay.into_iter().map(str::to_owned).chain(syntax).chain(rest.into_iter().map(str::to_owned));
    lines.map(|line| line + "\n").collect()
}

/// Instructions without comments, each as one line, and whether a here-document belongs to it, which is left out.
fn logical_lines(text: &str) -> Vec<(String, bool)> {
    let escape = directives(text).find_map(|(name, value)| (name == "escape").then_some(value));
    let escape = escape.and_then(|value| value.chars().next()).unwrap_or('\\');
    let mut all = Vec::new();
    let mut lines = text.lines();
    let mut line = String::new();
    while let Some(next) = lines.next() {
        let trimmed = next.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let Some(begun) = trimmed.strip_suffix(escape) {
            line.push_str(begun);
            line.push(' ');
            continue;
        }
        line.push_str(trimmed);
        let has_document = skip_documents(&line, &mut lines);
        all.push((std::mem::take(&mut line), has_document));
    }
    if !line.is_empty() {
        all.push((line, false));
    }
    all
}

/// Skips the here-documents that the instruction begins. One without an end is not treated as a here-document.
fn skip_documents(instruction: &str, lines: &mut std::str::Lines<'_>) -> bool {
    let name = instruction.split_whitespace().next().unwrap_or_default().to_lowercase();
    if !WITH_DOCUMENTS.contains(&name.as_str()) {
        return false;
    }
    let mut has_document = false;
    for word in instruction.split_whitespace() {
        let Some((drops_tabs, end)) = document_end(word) else { continue };
        let mut ahead = lines.clone();
        let is_end = |line: &str| (if drops_tabs { line.trim_start_matches('\t') } else { line }) == end;
        if ahead.any(is_end) {
            *lines = ahead;
            has_document = true;
        }
    }
    has_document
}

/// The line that ends the here-document which this word begins, and whether tabs before it do not count: `<<-'EOF'`.
fn document_end(word: &str) -> Option<(bool, &str)> {
    let rest = word.trim_start_matches(|letter: char| letter.is_ascii_digit()).strip_prefix("<<")?;
    let (drops_tabs, end) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    let end = end.trim_matches(['"', '\'']);
    let is_name = !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((drops_tabs, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_arguments_are_no_images() {
        let text = "ARG V=1\nFROM go:1 AS Build\nRUN x\nfrom --platform=linux/s390x far:1\nfrom --platform=$BUILDPLATFORM build AS test\nFROM base:$V\nFROM scratch\nFROM run\nCOPY --from=build /a /a\nCOPY --from=0 /a /a\nCOPY --chown=1 --from=tools:2 /a /a\nRUN --mount=type=bind,from=lib:3,target=/x true\nFROM go:1\n";
        assert_eq!(Dockerfile::parse(text).images, ["go:1", "run", "tools:2", "lib:3"]);
    }

    #[test]
    fn what_only_buildkit_has_is_told_from_what_both_builders_have() {
        for (text, feature) in [
            ("# syntax=docker/dockerfile:1\nFROM a\n", Some("# syntax=docker/dockerfile:1")),
            ("FROM a\nRUN --mount=type=cache,target=/x make\n", Some("RUN --mount")),
            ("FROM a\nRUN \\\n  # why\n\n  --network=none make\n", Some("RUN --network")),
            ("FROM a\ncopy --link a b\n", Some("COPY --link")),
            ("FROM a\nADD --chown=1 --chmod=600 a b\n", Some("ADD --chmod")),
            ("FROM a\nRUN <<EOF\nFROM b\nEOF\n", Some("a here-document of RUN")),
            ("FROM a\nCOPY <<-\"one\" <<two /x/\n1\n\tone\n2\ntwo\n", Some("a here-document of COPY")),
            ("FROM --platform=$BUILDPLATFORM a\n", Some("FROM --platform")),
            ("FROM a\nARG TARGETARCH\n", Some("ARG TARGETARCH")),
            ("FROM a\nONBUILD RUN --mount=type=tmpfs,target=/x x\n", Some("RUN --mount")),
            ("FROM --platform=linux/amd64 a\nCOPY --from=b --chown=1 a b\nARG T=1\n", None),
            ("FROM a\nRUN echo $((1<<2)) 1 << 2\nRUN cat <<<word\nRUN echo --mount=x\n", None),
            ("FROM a\nRUN cat <<EOF \\\n  and so on\n", None),
            ("FROM a\nHEALTHCHECK --interval=1s CMD true\n# syntax=docker/dockerfile:1\n", None),
        ] {
            assert_eq!(Dockerfile::parse(text).only_buildkit.as_deref(), feature, "{text}");
        }
        let documents = Dockerfile::parse("FROM a\nRUN <<A 3<<B\nFROM x\nA\nFROM y\nB\nFROM c\n");
        assert_eq!(documents.images, ["a", "c"], "what stands in a document is no instruction");
    }

    #[test]
    fn what_a_client_would_have_to_hand_out_is_named() {
        let needs = |text: &str| Dockerfile::parse(text).needs_session;
        let secret = needs("FROM a\nRUN --mount=id=t,type=secret cat /run/secrets/t\n");
        assert_eq!(secret.as_deref(), Some("RUN --mount=type=secret"));
        assert_eq!(needs("FROM a\nRUN --mount=type=ssh x\n").as_deref(), Some("RUN --mount=type=ssh"));
        assert_eq!(needs("FROM a\nRUN --mount=type=cache,target=/secret x\n"), None);
    }

    #[test]
    fn only_a_frontend_that_the_engine_has_too_can_be_left_out() {
        for (frontend, is_stock) in [
            ("docker/dockerfile:1", true),
            ("docker.io/docker/dockerfile:1.7-labs@sha256:00", true),
            ("docker/dockerfile-upstream", true),
            ("example/dockerfile:1", false),
        ] {
            let text = format!("#escape=`\n#  Syntax = {frontend}\nFROM a\nRUN a `\n b\n");
            let dockerfile = Dockerfile::parse(&text);
            assert_eq!(dockerfile.frontend.as_deref(), Some(frontend));
            assert_eq!(dockerfile.has_stock_frontend(), is_stock, "{frontend}");
            let without = without_frontend(&format!("# syntax={frontend}\n#escape=`\nFROM a\n"));
            assert_eq!(without, format!("#escape=`\n# syntax: {frontend}\nFROM a\n"));
            assert_eq!(Dockerfile::parse(&without).frontend, None);
        }
    }
}
