#!/bin/sh
# Made the stores of this folder, with keytool of JDK 17 and OpenSSL 3. The password of all is changeit, of the JKS key keychangeit.
set -eu
rm -f *.jks *.p12 *.pem
keytool -genkeypair -alias server -keyalg EC -groupname secp256r1 -dname CN=localhost -ext san=dns:localhost,ip:127.0.0.1 -validity 36500 \
  -storetype PKCS12 -keystore key.p12 -storepass changeit
keytool -importkeystore -srckeystore key.p12 -srcstorepass changeit -destkeystore key.jks -deststoretype JKS -deststorepass changeit -destkeypass keychangeit
keytool -exportcert -rfc -alias server -keystore key.p12 -storepass changeit -file certificate.pem
keytool -importcert -noprompt -alias ca -file certificate.pem -keystore trust.p12 -storetype PKCS12 -storepass changeit
keytool -importcert -noprompt -alias ca -file certificate.pem -keystore trust.jks -storetype JKS -storepass changeit
openssl pkcs12 -in key.p12 -passin pass:changeit -nodes -nocerts | openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:changeit -out encrypted-key.pem
openssl pkcs12 -in key.p12 -passin pass:changeit -nodes -nocerts | openssl pkcs8 -topk8 -nocrypt -out key.pem
cat encrypted-key.pem certificate.pem > both.pem
