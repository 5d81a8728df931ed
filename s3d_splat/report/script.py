"""The little JavaScript of a report. The page is complete without it: it sorts tables and enlarges pictures."""

SCRIPT = """
for (const table of document.querySelectorAll('table.sortable')) {
  table.tHead.addEventListener('click', event => {
    const head = event.target.closest('th');
    if (!head) return;
    const column = head.cellIndex, down = head.getAttribute('aria-sort') !== 'descending';
    const key = row => { const cell = row.cells[column]; return cell.dataset.sort ?? cell.textContent.trim(); };
    const rows = [...table.tBodies[0].rows].sort((a, b) => key(a).localeCompare(key(b), undefined, {numeric: true}));
    const numeric = rows.every(row => key(row) !== '' && !isNaN(key(row)));
    if (numeric) rows.sort((a, b) => key(a) - key(b));
    table.tBodies[0].append(...(down ? rows.reverse() : rows));
    for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  });
}
const box = document.getElementById('enlarged'), large = box.querySelector('img'), caption = box.querySelector('p');
let set = [], place = 0;
function show(index) {
  place = (index + set.length) % set.length;
  large.src = set[place].src;
  large.alt = caption.textContent = set[place].alt;
}
document.addEventListener('click', event => {
  const picture = event.target.closest('.pictures img');
  if (!picture) return;
  set = [...picture.closest('.kind').querySelectorAll('img')];
  show(set.indexOf(picture));
  box.showModal();
});
box.addEventListener('click', event => event.target === large ? show(place + 1) : box.close());
box.addEventListener('keydown', event => {
  if (event.key === 'ArrowRight') show(place + 1);
  if (event.key === 'ArrowLeft') show(place - 1);
});
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach(part => part.open = true));
"""
