//! Answers of servers that a client takes for an error, in whatever words it says so: `The requested URL returned error: 404`.

use super::pattern::Pattern;

/// What stands before the status of an answer where a client tells it.
const BEFORE: [&str; 6] = [
    "http error ",
    "returned error: ",
    "response code: ",
    "response code ",
    "returned http/1.1 ",
    "returned http/1.0 ",
];
/// The same in the headline of an error, which no access log has: `Error: status 404`.
const BEHIND_ERROR: [&str; 7] = [
    "status code ",
    "status code: ",
    "status: ",
    "status ",
    "http ",
    "http status ",
    "server responded with ",
];

/// The words of such answers.
const ANSWERS: [&str; 10] = [
    "bad request",
    "unauthorized",
    "forbidden",
    "not found",
    "gone",
    "too many requests",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
];

const REFUSED: Pattern = Pattern {
    cause: "credentials-refused",
    words: &[],
    says: "something that it connects to refuses its credentials",
    cure: "correct the credentials in the app's variables, and restart",
};
const NOT_THERE: Pattern = Pattern {
    cause: "dependency-failed",
    words: &[],
    says: "something that it asks answers that there is no such thing (404)",
    cure: "correct the address that it asks for in the app's variables, or put there what it wants",
};
const OF_CLIENT: Pattern = Pattern {
    cause: "dependency-failed",
    words: &[],
    says: "something that it asks refuses what it asks for (4xx)",
    cure: "look at what it asks for, and how often; the answer is that of another program",
};
const OF_SERVER: Pattern = Pattern {
    cause: "dependency-failed",
    words: &[],
    says: "something that it asks answers with an error (5xx)",
    cure: "look at what is wrong with that; it is another program, or another machine",
};

/// What a line says of an answer that is an error.
pub(super) fn of(line: &str) -> Option<&'static Pattern> {
    let text = line.to_lowercase();
    let of_client = BEFORE.iter().find_map(|word| Some(text.split_once(word)?.1));
    // Wget: `2026-11-28 22:32:18 ERROR 404: Not Found.`
    let of_wget =
        || text.split_once(" error ").map(|(_, rest)| rest).filter(|rest| rest.get(3..5) == Some(": "));
    let of_error = || {
        let told = text.split_once("error: ").map(|(_, told)| told)?;
        BEHIND_ERROR
            .iter()
            .find_map(|word| told.strip_prefix(word).or(told.split_once(word).map(|(_, rest)| rest)))
    };
    // The words of an answer alone, perhaps behind what was asked for: `prices: 404 Not Found`.
    let of_words = || {
        let last = text.trim().trim_end_matches('.').rsplit(": ").next().unwrap_or_default();
        let is_answer = last.split_once(' ').is_some_and(|(_, words)| ANSWERS.contains(&words));
        (is_answer && !text.contains("get /") && !text.contains("post /")).then_some(last)
    };
    let rest = of_client.or_else(of_wget).or_else(of_error).or_else(of_words)?;
    let rest = rest.trim_start_matches("http/1.1 ").trim_start_matches("http/1.0 ");
    let number: &str = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    match number.parse::<u16>().ok()? {
        401 | 403 | 407 => Some(&REFUSED),
        404 | 410 => Some(&NOT_THERE),
        400..=499 => Some(&OF_CLIENT),
        500..=599 => Some(&OF_SERVER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_status_of_an_answer_is_read_where_a_client_tells_it() {
        for (line, says) in [
            ("fatal: unable to access 'http://a/x/': The requested URL returned error: 500", "(5xx)"),
            ("urllib.error.HTTPError: HTTP Error 404: Not Found", "(404)"),
            ("wget: server returned error: HTTP/1.1 404 Not Found", "(404)"),
            ("2026-11-28 22:32:18 ERROR 404: Not Found.", "(404)"),
            (
                "java.io.IOException: Server returned HTTP response code: 403 for URL: http://a/",
                "credentials",
            ),
            ("Error: status 429", "(4xx)"),
            ("2026/11/28 22:32:22 prices: 404 Not Found", "(404)"),
            ("AxiosError: Request failed with status code 502", "(5xx)"),
        ] {
            assert!(of(line).is_some_and(|pattern| pattern.says.contains(says)), "{line}");
        }
        for other in [
            "ended with exit status 3",
            "request 12 status 500",
            "GET /a 404 12 ms",
            "GET /a: 404 Not Found",
            "error: 12 of 500 rows",
        ] {
            assert!(of(other).is_none(), "{other}");
        }
    }
}
