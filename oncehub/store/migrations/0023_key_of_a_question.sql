-- A look-up names the client's key, whose validity is then asked in the same message.
alter type share.question add attribute key text;
