// The dialog that lists the keys. A key is [names, what it does, …].

export function showKeyList(keys) {
  document.getElementById("key-list").replaceChildren(...keys.flatMap(([names, what]) => {
    const name = document.createElement("dt"), text = document.createElement("dd");
    names.forEach((key, i) => name.append(i ? " " : "",
      Object.assign(document.createElement("kbd"), { textContent: key })));
    text.textContent = what;
    return [name, text];
  }));
  document.getElementById("keys-dialog").showModal();
}
