//! The table and the judgement, without a kernel.

use super::*;

fn row(p99_us: f64) -> Row {
    let wake = Summary {
        samples: 1250,
        p50_us: 12.34,
        p90_us: 14.0,
        p99_us,
        p99_9_us: p99_us + 1.0,
        max_us: p99_us + 2.0,
        mean_us: 13.0,
        over_1ms: 0.0,
    };
    Row { wake, neighbours: 0.9876, from_post_ns: None }
}

fn rows(eevdf: f64, ungoverned: f64, governed: f64) -> Rows {
    let governed = Row { from_post_ns: Some(31_250_000), ..row(governed) };
    Rows { eevdf: row(eevdf), ungoverned: row(ungoverned), governed, removed: row(ungoverned) }
}

#[test]
fn the_table_has_every_row_and_figure() {
    let table = rows(3972.8, 4001.0, 15.0).table();
    let squeezed: Vec<String> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        squeezed[2..],
        [
            "EEVDF, the kernel's own 12.3 3972.8 3973.8 98.8 % -",
            "gthulhu-scx, no strategy 12.3 4001.0 4002.0 98.8 % -",
            "gthulhu-scx, priority 3, slice 5 ms 12.3 15.0 16.0 98.8 % 31.2 ms",
            "gthulhu-scx, strategy deleted 12.3 4001.0 4002.0 98.8 % -",
        ]
    );
    let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "figures are flush right:\n{table}");
}

#[test]
fn better_than_both_is_good() {
    for clock in [Clock::Real, Clock::Instructions] {
        let said = rows(3972.8, 4000.0, 16.0).judge(clock).unwrap();
        assert_eq!(
            said,
            "p99 with the strategy 16.0 us, without 4000.0 us (250.0 times that), EEVDF 3972.8 us (248.3 times that)"
        );
    }
}

#[test]
fn a_strategy_that_does_not_help_is_a_failure() {
    for clock in [Clock::Real, Clock::Instructions] {
        for governed in [4000.0, 4000.1] {
            let said = rows(5000.0, 4000.0, governed).judge(clock).unwrap_err();
            assert!(said.starts_with("the strategy did not help: p99 with the strategy"), "{said}");
        }
    }
}

#[test]
fn the_kernels_own_scheduler_counts_only_where_the_clock_is_exact() {
    let rows = rows(16.0, 4000.0, 16.0);
    assert!(rows.judge(Clock::Real).is_ok());
    let said = rows.judge(Clock::Instructions).unwrap_err();
    assert!(said.starts_with("the strategy is no better than EEVDF: "), "{said}");
}

#[test]
fn a_figure_of_zero_has_no_ratio() {
    assert!(rows(10.0, 10.0, 0.0).judge(Clock::Real).unwrap().contains("(no ratio)"));
}
