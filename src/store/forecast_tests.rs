use super::*;
use crate::model::outcome::Phase;

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + day * 86_400, 0).unwrap()
}

fn made(day: i64, bytes: u64) -> Record {
    let name = format!("backup_{}.sql.gz", at(day).format("%Y%m%d_%H%M%S"));
    let record = Record::new(Work::Create, name, at(day), Verdict::Passed);
    Record { file_bytes: Some(bytes), ..record }
}

/// A verification, on a day, of the backup of another.
fn verified(day: i64, of: i64, bytes: u64, seconds: f64) -> Record {
    let phases = [("restore", seconds), ("checks", 1.0)];
    Record {
        work: Work::Verify,
        started_at: at(day) + TimeDelta::minutes(10),
        phases: phases.map(|(name, seconds)| Phase { name: name.into(), seconds }).to_vec(),
        engine: Some("docker".to_owned()),
        ..made(of, bytes)
    }
}

fn told(records: &[Record], rto: Option<f64>) -> Outlook {
    outlook(&records.iter().collect::<Vec<_>>(), rto).unwrap()
}

fn forecast(records: &[Record], rto: Option<f64>) -> Forecast {
    told(records, rto).forecast().unwrap_or_else(|| panic!("too little")).clone()
}

/// Each night a backup, and its verification: a megabyte more each, which takes ten seconds.
fn nights(days: i64) -> Vec<Record> {
    let night = |day: i64| {
        let bytes = 100_000_000 + 1_000_000 * u64::try_from(day).unwrap();
        let seconds = 1_000.0 + 10.0 * f64::from(i32::try_from(day).unwrap());
        [made(day, bytes), verified(day, day, bytes, seconds)]
    };
    (0..days).flat_map(night).collect()
}

#[test]
fn a_time_that_grows_with_the_size_passes_what_it_may_take_on_a_day() {
    let forecast = forecast(&nights(61), Some(2_700.0));
    assert_eq!((forecast.restores, forecast.days, &*forecast.engine), (61, 60, "docker"));
    assert!((forecast.seconds - 1_600.0).abs() < 1.0, "{forecast:?}");
    assert!((forecast.seconds_a_month - 300.0).abs() < 1.0, "{forecast:?}");
    assert!((forecast.bytes_a_month - 30_000_000.0).abs() < 1.0, "{forecast:?}");
    let passed = days_between(forecast.as_of, forecast.passed_at.unwrap());
    assert!((passed - 110.0).abs() < 1.0, "{passed}");
    let then = forecast.passed_at.unwrap();
    assert!((forecast.seconds_at(then) - 2_700.0).abs() < 1.0);
}

#[test]
fn a_few_restores_on_a_busy_machine_change_nothing() {
    let mut records = nights(61);
    for busy in [9, 41, 83, 121] {
        records[busy].phases[0].seconds *= 5.0;
    }
    let forecast = forecast(&records, Some(2_700.0));
    assert!((forecast.seconds_a_month - 300.0).abs() < 30.0, "{forecast:?}");
}

#[test]
fn old_backups_that_are_verified_today_do_not_make_it_look_faster() {
    // A drill of today restores what was small then.
    let mut records = nights(61);
    let old = |of: i64| {
        let bytes = 100_000_000 + 1_000_000 * u64::try_from(of).unwrap();
        verified(61, of, bytes, 1_000.0 + 10.0 * f64::from(i32::try_from(of).unwrap()))
    };
    records.extend((0..20).map(old));
    let forecast = forecast(&records, Some(2_700.0));
    assert!((forecast.seconds_a_month - 300.0).abs() < 10.0, "{forecast:?}");
}

#[test]
fn restores_of_one_size_that_take_longer_and_longer_are_a_trend_too() {
    let night = |day: i64| verified(day, day, 5_000, 60.0 + f64::from(i32::try_from(day).unwrap()));
    let records: Vec<Record> = (0..40).map(night).collect();
    let forecast = forecast(&records, Some(120.0));
    assert!((forecast.seconds_a_month - 30.0).abs() < 1.0, "{forecast:?}");
    assert!((days_between(forecast.as_of, forecast.passed_at.unwrap()) - 21.0).abs() < 1.0);
}

#[test]
fn noise_is_no_trend_and_what_is_far_away_is_not_in_sight() {
    let night =
        |day: i64| verified(day, day, 5_000, 60.0 + f64::from(i32::try_from(day % 7).unwrap()));
    let level = forecast(&(0..40).map(night).collect::<Vec<_>>(), Some(120.0));
    assert_eq!((level.seconds_a_month, level.passed_at), (0.0, None));
    let far = forecast(&nights(61), Some(100_000.0));
    assert_eq!((far.passed_at, far.until), (None, far.as_of + TimeDelta::days(240)));
}

#[test]
fn what_already_takes_too_long_was_passed_in_the_past() {
    let passed = forecast(&nights(61), Some(1_300.0)).passed_at.unwrap();
    assert!((days_between(at(30), passed)).abs() < 1.5, "{passed}");
    let night = |day: i64| verified(day, day, 5_000, 60.0);
    let level = forecast(&(0..40).map(night).collect::<Vec<_>>(), Some(50.0));
    assert_eq!(level.passed_at, Some(level.as_of));
}

#[test]
fn too_few_restores_or_days_say_nothing_and_say_so() {
    let few = |records: &[Record]| match told(records, None) {
        Outlook::TooLittle { restores, days, .. } => (restores, days),
        Outlook::Told(forecast) => panic!("{forecast:?}"),
    };
    assert_eq!(few(&nights(7)), (7, 6));
    assert_eq!(few(&nights(28)), (28, 27));
    let rare: Vec<Record> = (0..7).map(|month| verified(month * 15, month * 15, 9, 5.0)).collect();
    assert_eq!(few(&rare), (7, 90));
    assert_eq!(outlook(&[], None), None);
    let unrestored = made(1, 1);
    assert_eq!(outlook(&[&unrestored], None), None);
}

#[test]
fn only_sound_restores_by_the_engine_of_today_count_and_each_once() {
    let mut records = nights(61);
    for local in &mut records[..60] {
        local.engine = local.engine.as_ref().map(|_| "local".to_owned());
    }
    records[121].verdict = Verdict::Failed;
    let copies: Vec<Record> =
        records.iter().map(|record| Record { copy: true, ..record.clone() }).collect();
    records.extend(copies);
    assert_eq!(forecast(&records, None).restores, 30);
}

#[test]
fn the_goal_is_the_last_one_on_record_unless_another_is_named() {
    let mut records = nights(61);
    records[50].rto_seconds = Some(60.0);
    records[51].rto_seconds = Some(2_700.0);
    let goal = |rto| forecast(&records, rto).rto_seconds;
    assert_eq!((goal(None), goal(Some(90.0))), (Some(2_700.0), Some(90.0)));
}
