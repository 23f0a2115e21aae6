//! Days and times that are written as text.

use std::borrow::Cow;

use jiff::civil::Time;
use jiff::fmt::strtime::BrokenDownTime;
use serde::{Deserialize, Serialize};

/// How days are written, in the words of C's `strftime`. Where several fit a column equally well, the first is taken.
const DAYS: [&str; 14] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    // The month before the day, as in the country with the most files of this kind; likewise in pandas.
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%Y%m%d",
];

/// The part of the different texts that must be days for a column to be one of days. The others are mistakes of the
/// pen, or words for a missing value.
const LEAST_PART: f64 = 0.95;

/// So many texts tell which forms are worth trying on all.
const FIRST_LOOK: usize = 100;

/// How the days of a column are written, perhaps with a time of day.
///
/// Serialised as `{"day": "%d.%m.%Y", "has_time": false}`, the day in the words of C's `strftime`.
///
/// The days are, here for the last of January 2024:
///
/// - `2024-01-31`, as in ISO 8601, `2024/01/31`, `2024.01.31`, and `20240131` without other signs;
/// - `31.01.2024`; `01/31/2024` or `31/01/2024`, `01-31-2024` or `31-01-2024`, where a month is no more than 12;
/// - `31 Jan 2024`, `31-Jan-2024`, `Jan 31, 2024`, `31 January 2024`, `January 31, 2024`, in any case.
///
/// Years have four digits; months and days may lack their zero. After the day, and a space or `T`, may come a time:
/// `12:30`, `12:30:15`, `12:30:15.25`, `12:30 PM`, the first three perhaps with `Z`, `UTC`, `GMT` or an offset such as
/// `+01:00` or `+0100`.
///
/// ```
/// use nngpu::data::DateFormat;
///
/// // 31 is no month, so that the day stands first.
/// let format = DateFormat::find(&["01/02/2024", "31/01/2024 18:05"]).expect("days");
/// let moment = format.parse("01/02/2024 06:00").expect("a day");
///
/// assert_eq!((moment.year, moment.month, moment.day, moment.hour), (2024, 2, 1, 6));
/// // The first of February 2024 was a Thursday.
/// assert_eq!(moment.weekday, 4);
/// assert_eq!(moment.seconds, 1_706_767_200.0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct DateFormat {
    /// One of [`DAYS`].
    day: Cow<'static, str>,
    has_time: bool,
}

/// A day, and the time of that day.
///
/// The parts are those of the clock on the wall where the text was written; `seconds` takes an offset that is written
/// with the time into account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// From 1000 to 9999.
    pub year: i32,
    /// From 1 to 12.
    pub month: u8,
    /// From 1 to 31.
    pub day: u8,
    /// From 1, Monday, to 7, Sunday.
    pub weekday: u8,
    /// From 1, the first of January, to 366.
    pub day_of_year: u16,
    /// From 0 to 23; 0 where no time is written.
    pub hour: u8,
    /// From 0 to 59.
    pub minute: u8,
    /// From 0 to below 60.
    pub second: f64,
    /// Seconds since the beginning of 1970 in UTC, in which a time without an offset is taken to be.
    pub seconds: f64,
}

impl DateFormat {
    /// The format of the different texts of a column: the one that fits the most, if it fits 95 % of them or more.
    ///
    /// Whether the month or the day stands first is decided by all texts together. Where all days are 12 or less, the
    /// month is taken to stand first, and [`other`](Self::other) tells of the doubt.
    pub fn find(levels: &[impl AsRef<str>]) -> Option<DateFormat> {
        let first = &levels[..levels.len().min(FIRST_LOOK)];
        let is_worth_trying = |day: &&&str| first.iter().any(|level| parse(day, level.as_ref()).is_some());
        let mut best: Option<(usize, DateFormat)> = None;
        for day in DAYS.iter().filter(is_worth_trying) {
            let (mut n_fitting, mut has_time) = (0, false);
            for (_, is_timed) in levels.iter().filter_map(|level| parse(day, level.as_ref())) {
                n_fitting += 1;
                has_time |= is_timed;
            }
            if best.as_ref().is_none_or(|&(most, _)| n_fitting > most) {
                best = Some((n_fitting, DateFormat { day: Cow::Borrowed(day), has_time }));
            }
        }
        let (n_fitting, format) = best?;
        (n_fitting as f64 >= LEAST_PART * levels.len() as f64).then_some(format)
    }

    /// Another format, with day and month exchanged, that fits as many of the texts as this one does.
    pub fn other(&self, levels: &[impl AsRef<str>]) -> Option<DateFormat> {
        let exchanged = match &*self.day {
            "%m/%d/%Y" => "%d/%m/%Y",
            "%d/%m/%Y" => "%m/%d/%Y",
            "%m-%d-%Y" => "%d-%m-%Y",
            "%d-%m-%Y" => "%m-%d-%Y",
            _ => return None,
        };
        let other = DateFormat { day: Cow::Borrowed(exchanged), has_time: self.has_time };
        let n_fitting =
            |format: &DateFormat| levels.iter().filter(|level| format.parse(level.as_ref()).is_some()).count();
        (n_fitting(&other) >= n_fitting(self)).then_some(other)
    }

    /// What `text` says; nothing where it is no day in this format. A time is read whether or not the format has one.
    pub fn parse(&self, text: &str) -> Option<Moment> {
        parse(&self.day, text).map(|(moment, _)| moment)
    }

    /// Whether a text that the format was found in had a time of day.
    pub fn has_time(&self) -> bool {
        self.has_time
    }

    /// How a day is written, in the words of C's `strftime`, for instance `%Y-%m-%d`.
    pub fn day(&self) -> &str {
        &self.day
    }
}

/// What `text` says if its day is written as `day` is, and whether it has a time.
fn parse(day: &str, text: &str) -> Option<(Moment, bool)> {
    let text = text.trim();
    let (written, length) = BrokenDownTime::parse_prefix(day, text).ok()?;
    // Less is a year of two digits, or no year; and `2024111` is either of two days.
    if written.year().is_none_or(|year| year < 1000) || (day == "%Y%m%d" && length != 8) {
        return None;
    }
    let date = written.to_date().ok()?;
    let rest = text.get(length..)?;
    let (time, offset_seconds) = match rest.as_bytes() {
        [] => (Time::midnight(), 0),
        [b' ' | b'T' | b't', b'0'..=b'9', ..] => time_of_day(&rest[1..])?,
        _ => return None,
    };
    let second = f64::from(time.second()) + f64::from(time.subsec_nanosecond()) * 1e-9;
    let since_midnight = f64::from(time.hour()) * 3600.0 + f64::from(time.minute()) * 60.0 + second;
    let moment = Moment {
        year: i32::from(date.year()),
        month: date.month() as u8,
        day: date.day() as u8,
        weekday: date.weekday().to_monday_one_offset() as u8,
        day_of_year: date.day_of_year() as u16,
        hour: time.hour() as u8,
        minute: time.minute() as u8,
        second,
        seconds: f64::from(days_since_1970(date)) * 86400.0 + since_midnight - f64::from(offset_seconds),
    };
    Some((moment, !rest.is_empty()))
}

/// The time that `text` says, and by how many seconds its clock is ahead of UTC.
fn time_of_day(text: &str) -> Option<(Time, i32)> {
    let has_halves = ["am", "pm"].iter().any(|half| text.to_ascii_lowercase().ends_with(half));
    let clocks = match has_halves {
        true => ["%I:%M:%S%.f %p", "%I:%M %p"],
        false => ["%H:%M:%S%.f", "%H:%M"],
    };
    let (written, length) = clocks.iter().find_map(|clock| BrokenDownTime::parse_prefix(clock, text).ok())?;
    let time = written.to_time().ok()?;
    let rest = text.get(length..)?.trim_start();
    let offset_seconds = match rest {
        "" | "Z" | "z" | "UTC" | "GMT" => 0,
        _ => {
            let offset = ["%:z", "%z"].iter().find_map(|offset| BrokenDownTime::parse(offset, rest).ok())?;
            offset.offset()?.seconds()
        }
    };
    Some((time, offset_seconds))
}

fn days_since_1970(date: jiff::civil::Date) -> i32 {
    (date - jiff::civil::date(1970, 1, 1)).get_days()
}

/// What a file holds, before it is checked.
#[derive(Deserialize)]
struct Unchecked {
    day: String,
    has_time: bool,
}

impl TryFrom<Unchecked> for DateFormat {
    type Error = String;

    fn try_from(Unchecked { day, has_time }: Unchecked) -> Result<Self, String> {
        match DAYS.iter().find(|known| **known == day) {
            Some(known) => Ok(DateFormat { day: Cow::Borrowed(known), has_time }),
            None => Err(format!("found the form of days `{day}`, expected one of `{}`", DAYS.join("`, `"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds since 1970 are those of GNU `date -u -d TEXT +%s`.
    fn check(levels: &[&str], day: &str, has_time: bool, expected: &[Option<f64>]) {
        let format = DateFormat::find(levels).unwrap_or_else(|| panic!("days: {levels:?}"));
        assert_eq!((format.day(), format.has_time()), (day, has_time), "{levels:?}");
        let found: Vec<_> = levels.iter().map(|level| format.parse(level).map(|moment| moment.seconds)).collect();
        assert_eq!(found, expected, "{levels:?}");
    }

    #[test]
    fn days_are_read_in_each_form() {
        let day = Some(1_706_659_200.0);
        for (text, form) in [
            ("2024-01-31", "%Y-%m-%d"),
            ("2024/01/31", "%Y/%m/%d"),
            ("2024/1/31", "%Y/%m/%d"),
            ("2024.01.31", "%Y.%m.%d"),
            ("31.01.2024", "%d.%m.%Y"),
            ("31.1.2024", "%d.%m.%Y"),
            ("01/31/2024", "%m/%d/%Y"),
            ("1/31/2024", "%m/%d/%Y"),
            ("31/01/2024", "%d/%m/%Y"),
            ("01-31-2024", "%m-%d-%Y"),
            ("31-01-2024", "%d-%m-%Y"),
            ("31 Jan 2024", "%d %b %Y"),
            ("31-JAN-2024", "%d-%b-%Y"),
            ("Jan 31, 2024", "%b %d, %Y"),
            ("31 January 2024", "%d %B %Y"),
            ("january 31, 2024", "%B %d, %Y"),
            ("20240131", "%Y%m%d"),
        ] {
            check(&[text], form, false, &[day]);
        }
    }

    #[test]
    fn times_are_read_in_each_form() {
        for (time, seconds) in [
            (" 12:30", 45_000.0),
            ("T12:30", 45_000.0),
            ("t12:30:15", 45_015.0),
            (" 12:30:15.25", 45_015.25),
            ("T12:30:15Z", 45_015.0),
            ("T12:30Z", 45_000.0),
            (" 12:30 UTC", 45_000.0),
            (" 12:30 GMT", 45_000.0),
            ("T12:30:15.5+01:00", 41_415.5),
            ("T12:30:15-0530", 64_815.0),
            (" 12:30 +0100", 41_400.0),
            (" 12:30 AM", 1_800.0),
            (" 1:05:07 pm", 47_107.0),
            (" 6:05", 21_900.0),
        ] {
            check(&[&format!("2024-01-31{time}")], "%Y-%m-%d", true, &[Some(1_706_659_200.0 + seconds)]);
        }
    }

    #[test]
    fn parts_are_those_of_the_clock_on_the_wall() {
        let format = DateFormat::find(&["2024-12-31T23:30:05.5-02:00"]).unwrap();
        let moment = Moment {
            year: 2024,
            month: 12,
            day: 31,
            weekday: 2,
            day_of_year: 366,
            hour: 23,
            minute: 30,
            second: 5.5,
            seconds: 1_735_695_005.5,
        };
        assert_eq!(format.parse("2024-12-31T23:30:05.5-02:00"), Some(moment));
    }

    #[test]
    fn days_before_1970_are_negative() {
        check(&["1969-12-31", "1000-01-01"], "%Y-%m-%d", false, &[Some(-86_400.0), Some(-30_610_224_000.0)]);
    }

    #[test]
    fn all_texts_decide_whether_the_day_or_the_month_stands_first() {
        check(&["01/02/2024", "13/02/2024"], "%d/%m/%Y", false, &[Some(1_706_745_600.0), Some(1_707_782_400.0)]);
        check(&["01/02/2024", "02/13/2024"], "%m/%d/%Y", false, &[Some(1_704_153_600.0), Some(1_707_782_400.0)]);
        let format = DateFormat::find(&["01/02/2024", "13/02/2024"]).unwrap();
        assert_eq!(format.other(&["01/02/2024", "13/02/2024"]), None);
    }

    #[test]
    fn doubt_of_day_and_month_is_told() {
        for (level, day, other) in
            [("01/02/2024", "%m/%d/%Y", "%d/%m/%Y"), ("01-02-2024 10:00", "%m-%d-%Y", "%d-%m-%Y")]
        {
            let format = DateFormat::find(&[level]).unwrap();
            let found = format.other(&[level]).unwrap();
            assert_eq!((format.day(), found.day(), found.has_time()), (day, other, format.has_time()));
        }
        assert_eq!(DateFormat::find(&["01.02.2024"]).unwrap().other(&["01.02.2024"]), None);
    }

    #[test]
    fn one_text_in_twenty_may_be_no_day() {
        let mut levels: Vec<String> = (1..20).map(|day| format!("2024-01-{day:02}")).collect();
        levels.push("unknown".into());
        let format = DateFormat::find(&levels).unwrap();
        assert_eq!(format.parse("unknown"), None);
        levels[3] = "2024-02-30".into();
        assert_eq!(DateFormat::find(&levels), None);
    }

    #[test]
    fn other_texts_are_no_days() {
        for text in [
            "",
            "2024",
            "24-01-31",
            "31.01.24",
            "2024-13-01",
            "2023-02-29",
            "2024-01-31x",
            "2024-01-31 ",
            "2024-01-31 noon",
            "2024-01-31 25:00",
            "2024-01-31 12:30 PM Z",
            "2024-01-31T12:30 Paris",
            "2024111",
            "1.2.3",
            "12:30",
            "N102UW",
            "-2024-01-31",
            "٣١.٠١.٢٠٢٤",
            "2024-01-31\u{a0}12:30é",
        ] {
            let expected = (text == "2024-01-31 ").then_some("%Y-%m-%d");
            assert_eq!(DateFormat::find(&[text]).as_ref().map(DateFormat::day), expected, "{text:?}");
        }
        assert_eq!(DateFormat::find(&[] as &[&str]), None);
    }

    #[test]
    fn serialised_form_is_read_back_and_checked() {
        let format = DateFormat::find(&["31.01.2024 12:30"]).unwrap();
        let json = serde_json::to_string(&format).unwrap();
        assert_eq!(json, r#"{"day":"%d.%m.%Y","has_time":true}"#);
        assert_eq!(serde_json::from_str::<DateFormat>(&json).unwrap(), format);
        let error = serde_json::from_str::<DateFormat>(r#"{"day":"%s","has_time":true}"#).unwrap_err().to_string();
        assert!(error.starts_with("found the form of days `%s`, expected one of `%Y-%m-%d`, "), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            for day in DAYS {
                parse(day, &text);
                parse(day, &format!("2024-01-31 {text}"));
            }
        }
    }
}
