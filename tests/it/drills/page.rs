//! The page of evidence, in a real browser: on a telephone, on a desk, by night and in print.

use std::path::{Path, PathBuf};

use ccc_backup::report::html::{Evidence, Subject, page};
use ccc_backup::store::history::Record;
use ccc_backup::store::on_record::OnRecord;
use chrono::Utc;
use serde_json::Value;

use super::year::{self, MARKUP};
use crate::signing::{key, keygen_verify, line};
use crate::support::browser::{Browser, Look};
use crate::support::{Outcome, Place, unchanged_database};

/// How each page is looked at.
const LOOKS: [Look; 5] = [
    Look { width: 360, scheme: "light", media: "screen" },
    Look { width: 360, scheme: "dark", media: "screen" },
    Look { width: 1200, scheme: "light", media: "screen" },
    Look { width: 1200, scheme: "dark", media: "screen" },
    Look { width: 720, scheme: "dark", media: "print" },
];

/// The least contrast of text with what is behind it (WCAG 2, AA).
const CONTRAST: f64 = 4.5;

/// What is measured in a page: how wide it is, what lies outside of it, its headings, the least contrast of any text and where,
/// and the smallest letters on the screen.
const MEASURE: &str = r"(() => {
  const numbers = text => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
      if (colour[3] > 0) throw new Error('half transparent: ' + at.className);
    }
    return [255, 255, 255];
  };
  const seen = element => element.getClientRects().length > 0 && element.checkVisibility();
  const words = [...document.querySelectorAll('body *')].filter(element =>
    [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) && seen(element));
  let contrast = 99, palest = '', smallest = 99, tiny = '';
  for (const element of words) {
    const style = getComputedStyle(element), svg = element.ownerSVGElement;
    const [one, other] = [light(numbers(svg ? style.fill : style.color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < contrast) [contrast, palest] = [ratio, element.textContent.trim().slice(0, 60)];
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    const size = parseFloat(style.fontSize) * scale;
    if (size < smallest) [smallest, tiny] = [size, element.textContent.trim().slice(0, 60)];
  }
  const outside = [...document.querySelectorAll('body *')].filter(element => {
    const box = element.getBoundingClientRect();
    return seen(element) && !element.closest('.wide-table, thead') && (box.right > innerWidth + 1 || box.left < -1);
  });
  return {
    wide: document.documentElement.scrollWidth, inner: innerWidth, contrast, palest, smallest, tiny,
    outside: outside.map(element => element.tagName + ' ' + element.className),
    headings: [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].filter(seen).map(it => +it.tagName[1]),
    text: document.body.innerText, title: document.title,
    strange: document.querySelectorAll('script, img, iframe, object, link:not([rel=icon])').length,
    plots: [...document.querySelectorAll('svg')].filter(seen).length,
    unnamed: [...document.querySelectorAll('[role=img], [role=region]')].filter(it => !it.getAttribute('aria-label')).length,
  };
})()";

/// Looks at a page in every way, and gives what was measured.
fn look_at(browser: &mut Browser, file: &Path) -> Vec<Value> {
    let mut measured = Vec::new();
    for look in LOOKS {
        browser.open(file, look);
        let found = browser.evaluate(MEASURE);
        let number = |name: &str| found[name].as_f64().unwrap();
        assert!(number("wide") <= number("inner"), "{look:?}: {} wide", found["wide"]);
        assert_eq!(found["outside"], Value::Array(Vec::new()), "{look:?}");
        let contrast = number("contrast");
        assert!(contrast >= CONTRAST, "{look:?}: {contrast:.2} of {}", found["palest"]);
        assert!(number("smallest") >= 10.0, "{look:?}: {} of {}", found["smallest"], found["tiny"]);
        let headings: Vec<i64> =
            found["headings"].as_array().unwrap().iter().map(|it| it.as_i64().unwrap()).collect();
        let firsts = headings.iter().filter(|level| **level == 1).count();
        assert_eq!((headings[0], firsts), (1, 1), "{look:?}: {headings:?}");
        assert!(headings.windows(2).all(|two| two[1] <= two[0] + 1), "{look:?}: {headings:?}");
        assert_eq!((&found["strange"], &found["unnamed"]), (&0.into(), &0.into()), "{look:?}");
        let asked = browser.requests();
        let own = format!("file://{}", file.display());
        let others: Vec<&String> =
            asked.iter().filter(|url| **url != own && !url.starts_with("data:")).collect();
        assert!(others.is_empty(), "{look:?}: {others:?}");
        measured.push(found);
    }
    measured
}

/// Writes a page, and a copy to look at by eye where that is asked for.
fn write(place: &Place, name: &str, bytes: &[u8]) -> PathBuf {
    if let Some(kept) = std::env::var_os("CCC_TEST_PAGES") {
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::write(PathBuf::from(kept).join(name), bytes).unwrap();
    }
    place.file(name, bytes)
}

/// The runs of a year that ends now, as they stand in a history.
fn history(on_record: &OnRecord) -> String {
    let since = Utc::now() - year::now();
    let line = |run: &Record| {
        let run = Record { started_at: run.started_at + since, ..run.clone() };
        serde_json::to_string(&run).unwrap() + "\n"
    };
    on_record.runs.iter().map(line).collect()
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_commands_write_pages_of_what_is_on_record_and_sign_them() {
        let place = Place::on_a_lent_server();
        place.file("backups/history.jsonl", history(&year::on_record()).as_bytes());
        let mut create = place.create(unchanged_database());
        let made =
            ["backups/backup_20260301_020000.sql.gz", "--copy-to", "copies", "--sign-key", "k"];
        key(&place, "k");
        place.file("allowed", line(&place, "", "k").as_bytes());
        assert_eq!(Outcome::of(&create.args(made).output().unwrap()).code, 0);
        let read = |name: &str| std::fs::read_to_string(place.dir().join(name)).unwrap();
        let container = ["--container-name", &place.container];
        let signed = ["--sign-report", "--sign-key", "k"];
        let mut drill = place.ccc();
        drill
            .args(["drill", "--places", "copies", "--html", "drill.html"])
            .args(container)
            .args(signed);
        let drilled = place.outcome(&mut drill);
        assert_eq!((drilled.code, drilled.stderr.as_str()), (0, ""), "{drilled}");
        assert!(drilled.stdout.contains("Forecast of shop <script>"), "{drilled}");
        place.outcome(place.verify().args(["--latest", "--html", "verify.html"])).passed();
        let shown = place.outcome(place.ccc().args([
            "history",
            "--html",
            "history.html",
            "--copy-to",
            "copies",
        ]));
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown}");
        assert!(shown.stdout.contains("45 min will be passed in about"), "{shown}");
        let sooner = place.outcome(place.ccc().args(["history", "--rto", "30m"]));
        assert!(sooner.stdout.contains("30 min is passed already"), "{sooner}");
        assert!(keygen_verify(&place, "drill.html", "ccc-backup-report", &[]).status.success());

        let drill = read("drill.html");
        assert!(drill.contains("Both backups restore.") && drill.contains("copies"), "{drill}");
        // It is about the databases that were drilled, and not of what else is on record.
        assert!(drill.contains("There is no forecast yet") && !drill.contains("shop"), "{drill}");
        assert!(read("verify.html").contains("The backup restores."));
        let history = read("history.html");
        assert!(history.contains("The last runs") && history.contains("<svg"), "{history}");
        assert!(history.contains("45 min will be passed in about"), "{history}");
        let mut browser = Browser::start();
        for name in ["drill.html", "verify.html", "history.html"] {
            write(&place, &format!("real-{name}"), read(name).as_bytes());
            look_at(&mut browser, &place.dir().join(name));
        }

        // A page that cannot be written is told before anything is done.
        let refused = place.outcome(place.ccc().args(["drill", "--html", "no/such/page.html"]));
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused}");
        let same = ["verify", "--latest", "--html", "x", "--report", "x"];
        let same = place.outcome(place.ccc().args(same));
        assert!(same.stderr.contains("--report and --html name the same file"), "{same}");
    }

    #[test]
    fn a_page_is_readable_everywhere_loads_nothing_and_takes_no_markup_from_names() {
        let place = Place::without_docker();
        let (on_record, drill) = (year::on_record(), year::drill());
        let (good, bad) = (year::passed(365, year::PLACES[0]), year::failed(361, year::PLACES[2]));
        let none = OnRecord::default();
        let mut scrub = year::drill();
        scrub.file_only = true;
        let of = |subject, on_record| page(&Evidence { now: year::now(), subject, on_record });
        let pages = [
            ("drill.html", of(Subject::Drill(&drill), &on_record)),
            ("scrub.html", of(Subject::Drill(&scrub), &on_record)),
            ("good.html", of(Subject::Verification(&good), &on_record)),
            ("bad.html", of(Subject::Verification(&bad), &none)),
            ("history.html", of(Subject::History, &on_record)),
            ("empty.html", of(Subject::History, &none)),
        ];
        let mut browser = Browser::start();
        for (name, bytes) in pages {
            let file = write(&place, name, &bytes);
            let found = look_at(&mut browser, &file);
            assert_ne!(found[0]["title"], "broken", "{name}");
            let text = found[2]["text"].as_str().unwrap();
            match name {
                "drill.html" => {
                    assert!(
                        text.contains("2 of 12 backups")
                            || text.contains("1 of 12 backups is bad.")
                    );
                    assert!(text.contains("45 min will be passed in about"), "{text}");
                    assert!(text.contains("was not reached: it takes about 32 min"), "{text}");
                    assert!(text.contains(MARKUP), "names are shown as they are: {text}");
                    assert_eq!(found[2]["plots"], 3, "restores, sizes, rows");
                    // What is folded on the screen is on paper.
                    let paper = found[4]["text"].as_str().unwrap();
                    assert_eq!(paper.matches("SHA-256").count(), 11, "{paper}");
                }
                "bad.html" => assert!(text.contains("The backup is bad."), "{text}"),
                "good.html" => assert!(text.contains("The backup restores."), "{text}"),
                "scrub.html" => assert!(text.contains("damaged"), "{text}"),
                "history.html" => assert!(text.contains("The last runs"), "{text}"),
                _ => assert!(text.contains("No run is on record."), "{text}"),
            }
        }
    }
}
