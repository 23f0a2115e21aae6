// An error of the library or of the browser as a sentence.
export function sentence(error) {
    const message = String(error?.message ?? error).trim();
    return message === ''
        ? 'An error without a message.'
        : message[0].toUpperCase() + message.slice(1) + (/[.!?]$/.test(message) ? '' : '.');
}
