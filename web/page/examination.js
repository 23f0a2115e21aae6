// What the library's doctor found on this device.

import { element } from './element.js';

// report is that of `nngpu doctor --json`: for each device its findings, one for each kernel and one for a training.
export function tellExamination({ devices }) {
    const findings = devices.flatMap((device) => device.findings);
    const nCases = findings.reduce((sum, { cases }) => sum + cases, 0);
    const wrong = findings.filter(({ passed }) => !passed);
    const worst = Math.max(0, ...findings.map((finding) => finding.worst_error_part_of_bound));
    const told = element('div', { class: 'examination' });
    if (wrong.length === 0) {
        told.append(
            element(
                'p',
                {},
                `All right: ${nCases.toLocaleString('en')} cases of ${findings.length} kinds. The largest error was ${Math.ceil(100 * worst)} % of what its bound allows.`,
            ),
        );
    } else {
        told.append(
            element(
                'p',
                { class: 'error' },
                `${wrong.length} of ${findings.length} kinds are computed wrongly: a fault of the library or of this device’s driver.`,
            ),
        );
        for (const { name, failures } of wrong) {
            told.append(
                element(
                    'details',
                    {},
                    element('summary', {}, `${name}: ${failures.length} failures`),
                    element('pre', { tabindex: '0' }, failures.join('\n')),
                ),
            );
        }
    }
    return told;
}
