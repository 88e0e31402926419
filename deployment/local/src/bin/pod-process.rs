//! A process that plays a container; see the workload module.

fn main() -> Result<(), String> {
    gthulhu_local::workload::main()
}
