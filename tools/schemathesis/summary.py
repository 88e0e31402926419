"""summary.py REPORT LOG: what came of a run, in the last line as test runners say it, and whether it was good.

A run that left something out is none: every operation in every phase, and the manager's log, which knows answers of 500
and more that nobody looked at. Ends with 3 if that is all: something was left out, and nothing that was tried failed.
"""

import json
import sys

report = json.load(open(sys.argv[1], encoding="utf-8"))
operations, cases = report["operations"], report["test_cases"]
left_out, faults = [], []
if operations["tested"] != operations["total"]:
    left_out.append(f"{operations['tested']} of {operations['total']} operations were tested")
for phase in ("coverage", "fuzzing", "stateful"):
    status = report["phases"][phase]["status"]
    if status != "success":
        (left_out if status == "skip" else faults).append(f"{phase}: {status}")
statuses = {}
for line in open(sys.argv[2], encoding="utf-8"):
    fields = json.loads(line)
    if "status" in fields:
        kind = fields["status"] // 100
        statuses[kind] = statuses.get(kind, 0) + 1
if statuses.get(5) or not statuses.get(2):
    faults.append("the manager's log has answers of 500 and more" if statuses.get(5) else "nothing was granted")

statuses = dict(sorted(statuses.items()))
print(f"\n{cases['generated']} cases, {report['running_time']:.0f} s; answers by hundreds: {statuses}")
for fault in left_out + faults:
    print(f"fault: {fault}")
failing = len({operation for failure in report["failures"] for operation in failure["operations"]})
if left_out and not faults and not failing:
    sys.exit(3)
failed = failing or len(left_out + faults)
print(f"test result: {'FAILED' if failed else 'ok'}. {operations['tested'] - failing} passed; {failed} failed; 0 ignored;")
sys.exit(bool(failed))
