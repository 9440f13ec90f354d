//! Whether a run of characters looks random, as passwords and keys do. The thresholds below (length, bits of entropy for each
//! character, changes between letters and digits) were chosen by trying them on planted secrets and on real documents
//! (docs/programs/ps-inspect-sanitize.md#how-it-was-measured). Entropy alone would also catch names that consist of words,
//! such as `my-service-frontend-2`; those are told apart by the length of their pieces.

/// Whether some run in the text looks random.
pub(crate) fn looks_random(text: &str) -> bool {
    has_random_run(text) || is_mixed(&without_own_names(text))
}

/// Whether a single run looks random, regardless of the punctuation between it and others.
pub(crate) fn has_random_run(text: &str) -> bool {
    let text = &*without_own_names(text);
    let in_run = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-');
    let runs = text.split(|c: char| !in_run(c)).any(is_random_run);
    runs || text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_random_part)
}

fn without_own_names(text: &str) -> String {
    // The engine's own names contain these two words, which have a digit in the middle.
    text.replace("IPv4", "").replace("IPv6", "")
}

/// Whether a run of base64 characters, 20 or more, is not made of words.
fn is_random_run(run: &str) -> bool {
    run.len() >= 20 && entropy(run) >= 4.0 && !is_wordy(run)
}

/// Whether a run of letters and digits looks random.
fn is_random_part(part: &str) -> bool {
    let hex = part.bytes().all(|b| b.is_ascii_hexdigit());
    (part.len() >= 32 && hex && entropy(part) >= 3.0)
        || (part.len() >= 20 && entropy(part) >= 4.0 && !is_wordy(part))
        || (part.len() >= 16
            && changes(part) * 5 >= part.len() * 2
            && entropy(part) >= 3.2
            && !is_wordy(part))
        || (part.len() >= 20 && is_upper_with_digits(part) && entropy(part) >= 3.2 && !is_wordy(part))
        || (part.len() >= 14 && classes(part) >= 3 && entropy(part) >= 3.2 && !is_wordy(part))
        || (part.len() >= 16 && switches(part) >= 5 && entropy(part) >= 3.0 && !is_wordy(part))
        || (part.len() >= 14
            && classes(part) >= 2
            && switches(part) * 5 >= part.len() * 2
            && entropy(part) >= 3.0)
}

/// Whether the text is base32, or a key in capital letters with digits.
fn is_upper_with_digits(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    digits > 0 && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) && digits < part.len()
}

/// Whether a word of a command line may be a password that was chosen or generated: eight characters or more in which
/// capitals, small letters and digits change too often for a name.
pub(crate) fn looks_chosen(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|part| part.len() >= 8 && classes(part) >= 3 && changes(part) * 2 >= part.len())
}

/// How often the text changes between capitals, small letters and digits.
fn changes(text: &str) -> usize {
    let kind = |b: u8| if b.is_ascii_digit() { 0 } else { 1 + u8::from(b.is_ascii_uppercase()) };
    text.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count()
}

/// Whether the text has sixteen characters or more of at least three classes, with punctuation that names do not have.
fn is_mixed(text: &str) -> bool {
    let odd = |b: &u8| b.is_ascii_punctuation() && !b"_-./:,@+=\\".contains(b);
    text.split_ascii_whitespace().any(|word| {
        word.len() >= 16 && word.bytes().any(|b| odd(&b)) && classes(word) >= 3 && entropy(word) >= 3.5
    })
}

/// The Shannon entropy in bits per character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let share = |&count: &u32| f64::from(count) / total;
    counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

/// How many of the classes lower case, upper case, digits and others occur.
fn classes(text: &str) -> usize {
    let has = |test: fn(&u8) -> bool| usize::from(text.bytes().any(|b| test(&b)));
    has(u8::is_ascii_lowercase)
        + has(u8::is_ascii_uppercase)
        + has(u8::is_ascii_digit)
        + has(u8::is_ascii_punctuation)
}

/// How often letters change to digits or back.
fn switches(text: &str) -> usize {
    text.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count()
}

/// Whether the pieces of a run (split at punctuation, digits and camel case) are words: long enough, with vowels, and with
/// few numbers.
fn is_wordy(run: &str) -> bool {
    let (mut pieces, mut numbers, mut characters, mut length, mut longest) =
        (0_usize, 0_usize, 0_usize, 0_usize, 0_usize);
    let mut before = b' ';
    for byte in run.bytes() {
        let same = (byte.is_ascii_lowercase() && before.is_ascii_alphabetic())
            || (byte.is_ascii_uppercase() && before.is_ascii_uppercase())
            || (byte.is_ascii_digit() && before.is_ascii_digit());
        let counts = byte.is_ascii_alphanumeric();
        characters += usize::from(counts);
        pieces += usize::from(counts && !same);
        numbers += usize::from(byte.is_ascii_digit() && !same);
        length = if same { length + 1 } else { 1 };
        longest = longest.max(length);
        before = byte;
    }
    let count = |test: fn(u8) -> bool| run.bytes().filter(|&byte| test(byte)).count();
    let vowels = count(|b| b"aeiouyAEIOUY".contains(&b));
    let (upper, lower) = (count(|b| b.is_ascii_uppercase()), count(|b| b.is_ascii_lowercase()));
    let long = run.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| part.len() >= 20);
    let broken_by_digits = long.into_iter().any(|part| part.bytes().any(|b| b.is_ascii_digit()));
    let unbroken = run.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max().unwrap_or(0);
    characters >= pieces * 3
        && numbers * 4 <= pieces.max(4)
        && longest < 20
        && unbroken <= 26
        && !broken_by_digits
        && vowels * 6 >= characters
        && (lower == 0 || (upper * 3 <= upper + lower && (unbroken < 20 || entropy(run) < 4.2)))
}

#[cfg(test)]
mod tests {
    use super::{looks_chosen, looks_random};

    #[test]
    fn a_password_among_the_words_of_a_command_is_told_from_names() {
        let chosen = ["2PrSH1zCq", "--opt=aB3xK9pQ", "u%N2VHxLGEw"];
        assert_eq!(chosen.iter().filter(|text| !looks_chosen(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
        let plain =
            ["MyApp2.jar", "Microsoft.AspNetCore.dll", "ES2015Module", "-Xmx512m", "openjdk-17", "x86_64"];
        assert_eq!(plain.iter().filter(|text| looks_chosen(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn what_generators_make_looks_random() {
        let random = [
            "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "aB3xK9pQ2mN7vR4t",
            "k3j9x0q8z1m5w7b2",
            "dGhpcyBpcyBhIHNlY3JldA",
            "Zx8-Qp3_Lm5-Vt9_Rk2-Hs7",
            "p@ssW0rd!2024#xyz",
            "0123456789abcdef0123456789abcdef01234567",
            "SCWQHKTYUMJ6PWUIXYQ6",
            "MZQBIUGSGRUXUXBDMETIJRWIW7XXXH7T",
        ];
        assert_eq!(random.iter().filter(|text| !looks_random(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn what_people_call_things_does_not() {
        let plain = [
            "my-service-frontend-2",
            "docker-compose-project-working",
            "/var/lib/postgresql/data",
            "python3.11-slim-bookworm",
            "CURL_CONNECT_TIMEOUT",
            "com.docker.compose.project.working_dir",
            "demo.web.1",
            "docker.io/library/redis:7",
            "shop_default",
            "mcr.microsoft.com/dotnet/aspnet:8.0",
            "/usr/src/app/node_modules/.cache",
            "50f05446ea11",
            "openresty.x-forwarded-proto-value",
            "traefik.http.routers.shop.entrypoints",
            "MaximumRetryCount",
            "BlkioDeviceWriteIOps",
            "CpuRealtimePeriod",
            "LinkLocalIPv6PrefixLen",
            "SecondaryIPv6Addresses",
        ];
        assert_eq!(plain.iter().filter(|text| looks_random(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
