export default { colour: "#5b4be0", path: "M6 17V10.2a3 3 0 0 1 6 0V13m0-2.8a3 3 0 0 1 6 0V17" };
