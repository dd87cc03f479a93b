// Loaded before htmx: the page's only trusted-types policy. It lets through markup (htmx swaps in what our own server escaped) and never scripts.
if (window.trustedTypes) trustedTypes.createPolicy('default', { createHTML: (s) => s });
document.documentElement.classList.add('js');
