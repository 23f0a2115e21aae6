// Makes an element: element('p', { class: 'note' }, 'text', child, ...).
export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
        else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
}
